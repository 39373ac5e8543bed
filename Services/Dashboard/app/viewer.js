// Watching cameras: the viewer's side of the signaling document, on one connection for all of them.

import { closeVerdict } from "../martlet/closing.js";
import { reconnectDelay_ms } from "../martlet/schedule.js";

const HEARTBEAT_MS = 30_000;
/** The broker takes one watch request a second for long. */
const REQUEST_GAP_MS = 250;
/** What the broker says when it could not ask Redis or PostgreSQL. */
const UNAVAILABLE = "Temporarily unavailable; try again in a moment";

/**
 * @typedef {"asking" | "connecting" | "live" | "ended"} WatchState
 * @typedef {{ stream: (stream: MediaStream) => void, state: (state: WatchState, reason?: string) => void }} Watcher
 */

export class Viewer {
  #session;
  #signal;
  #socket;
  #isReady = false;
  #attempts = 0;
  #requests = 0;
  /** Those that wait for an answer, or for an error if one comes, by request. @type {Map<string, Watch>} */
  #asked = new Map();
  /** @type {Map<string, Watch>} */
  #watches = new Map();
  /** @type {Set<Watch>} */
  #all = new Set();

  /**
   * @param {import("../martlet.js").Session} session
   * @param {AbortSignal} signal ends everything
   */
  constructor(session, signal) {
    [this.#session, this.#signal] = [session, signal];
    signal.addEventListener("abort", () => {
      for (const watch of this.#all) watch.close();
      // One that is not open yet is closed when it is: browsers complain of the other.
      if (this.#socket?.readyState === 0) this.#socket.onopen = ({ target }) => target.close();
      else this.#socket?.close();
    });
  }

  /**
   * Watches a camera. A watch that ended does not begin again by itself.
   * @param {string} device
   * @param {Watcher} watcher
   * @returns {() => void} ends it
   */
  watch(device, watcher) {
    const watch = new Watch(device, watcher);
    this.#all.add(watch);
    watcher.state("asking");
    if (this.#socket === undefined) this.#connect();
    else if (this.#isReady) this.#request(watch);
    return () => {
      if (watch.id !== undefined) this.#say("end_watch", { session_id: watch.id });
      this.#end(watch, "user_ended");
    };
  }

  async #connect() {
    let token;
    try {
      token = await this.#session.token({ renew: false });
    } catch (error) {
      return this.#lose(error.message);
    }
    if (this.#signal.aborted) return;
    const url = new URL("../ws/viewer", import.meta.url);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    this.#socket = socket;
    const heart = setInterval(() => this.#say("heartbeat", {}), HEARTBEAT_MS);
    socket.onopen = () => this.#say("hello", { token, features: ["ice_servers"] });
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => {
      clearInterval(heart);
      this.#isReady = false;
      this.#socket = undefined;
      this.#lose(reason || "The signaling broker cannot be reached.", closeVerdict(code, reason));
    };
  }

  /** Comes back for whoever still waits, and for what is being watched: its picture goes past the broker, which waits a moment for its viewer. */
  #lose(reason, verdict = "return") {
    this.#asked.clear();
    if (this.#signal.aborted || this.#all.size === 0) return;
    if (verdict === "never" || this.#attempts >= 4) {
      for (const watch of [...this.#all]) this.#end(watch, reason);
      return;
    }
    this.#attempts += 1;
    setTimeout(
      () => { if (!this.#signal.aborted && this.#socket === undefined) this.#connect(); },
      reconnectDelay_ms(this.#attempts, Math.random()),
    );
  }

  #received(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    const payload = message?.payload ?? {};
    const watch = this.#watches.get(payload.session_id);
    switch (message?.type) {
      case "hello_ack":
        this.#isReady = true;
        this.#attempts = 0;
        for (const watch of this.#watches.values()) this.#resume(watch);
        [...this.#all].filter(({ id }) => id === undefined).forEach(
          (one, place) => setTimeout(() => this.#request(one), place * REQUEST_GAP_MS)
        );
        break;
      case "watch_ready": this.#begin(message.request_id, payload); break;
      case "signal_answer": watch?.answer(payload.sdp); break;
      case "signal_ice": watch?.candidate(payload.candidate); break;
      case "ice_servers": watch?.renew(payload.ice_servers); break;
      case "watch_ended": if (watch) this.#end(watch, payload.reason); break;
      case "token:expiring": this.#renew(); break;
      case "heartbeat_ack": {
        const resumed = this.#asked.get(message.request_id);
        this.#asked.delete(message.request_id);
        resumed?.resumed((type, payload) => this.#say(type, { session_id: resumed.id, ...payload }));
        break;
      }
      case "error": {
        const asked = this.#asked.get(message.request_id);
        this.#asked.delete(message.request_id);
        // Its picture does not go by the broker.
        if (asked?.id !== undefined && payload.message === UNAVAILABLE) {
          setTimeout(() => this.#resume(asked), reconnectDelay_ms(1, Math.random()));
        } else if (asked) this.#end(asked, payload.message);
        break;
      }
    }
  }

  #request(watch) {
    if (!this.#all.has(watch) || !this.#isReady) return;
    this.#say("watch_request", { device_id: watch.device }, this.#await(watch));
  }

  /** Its session goes on by this connection, if the broker still has it. */
  #resume(watch) {
    if (!this.#isReady || !this.#watches.has(watch.id)) return;
    const request = this.#await(watch);
    watch.resume((type, payload) => this.#say(type, { session_id: watch.id, ...payload }, request));
    // The broker answers it behind what waited for the page.
    this.#say("heartbeat", {}, request);
  }

  /** A request of this watch: an error that answers it ends the watch. */
  #await(watch) {
    this.#requests += 1;
    const request = `watch-${this.#requests}`;
    this.#asked.set(request, watch);
    return request;
  }

  #begin(request, { session_id, ice_servers }) {
    const watch = this.#asked.get(request);
    this.#asked.delete(request);
    if (!watch || !this.#all.has(watch)) return this.#say("end_watch", { session_id });
    this.#watches.set(session_id, watch);
    watch.begin(session_id, ice_servers, (type, payload) => this.#say(type, { session_id, ...payload }));
  }

  async #renew() {
    const token = await this.#session.token({ renew: true }).catch(() => undefined);
    if (token) this.#say("auth", { token });
  }

  #end(watch, reason) {
    this.#all.delete(watch);
    if (watch.id !== undefined) this.#watches.delete(watch.id);
    for (const [request, asked] of this.#asked) if (asked === watch) this.#asked.delete(request);
    watch.close();
    watch.watcher.state("ended", reason);
  }

  /** False when there is no connection to say it on. */
  #say(type, payload, request_id) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify({ type, ...(request_id && { request_id }), ts: new Date().toISOString(), payload }));
    return true;
  }
}

/** One session's peer connection. */
class Watch {
  /** @type {string | undefined} */
  id;
  #peer;
  /** What could not be said while there was no connection. @type {[string, object][]} */
  #unsaid = [];
  /** The last candidate, or that none follows. @type {[string, object] | undefined} */
  #last;
  #isAnswered = false;

  /** @param {string} device @param {Watcher} watcher */
  constructor(device, watcher) {
    [this.device, this.watcher] = [device, watcher];
  }

  /** @param {(type: string, payload: object) => boolean} trySay */
  async begin(id, iceServers, trySay) {
    this.id = id;
    this.watcher.state("connecting");
    const say = (type, payload) => { if (!trySay(type, payload)) this.#unsaid.push([type, payload]); };
    try {
      const peer = new RTCPeerConnection({ iceServers });
      this.#peer = peer;
      peer.onicecandidate = ({ candidate }) => {
        this.#last = ["signal_ice", { candidate: candidate?.toJSON() ?? null }];
        say(...this.#last);
      };
      peer.ontrack = ({ track, streams }) => this.watcher.stream(streams[0] ?? new MediaStream([track]));
      peer.onconnectionstatechange = () => {
        if (peer.connectionState === "connected") this.watcher.state("live");
        if (peer.connectionState === "failed") say("end_watch", {});
      };
      peer.addTransceiver("video", { direction: "recvonly" });
      await peer.setLocalDescription();
      // Should it be lost, `resumed` says it again.
      this.#offer(trySay);
    } catch {
      say("end_watch", {});
    }
  }

  #offer(say) {
    say("signal_offer", { sdp: this.#peer.localDescription.toJSON() });
  }

  /** On a new connection: what was not said, or the last candidate once more, which names the session to the broker. */
  resume(say) {
    const unsaid = this.#unsaid.length === 0 && this.#last ? [this.#last] : this.#unsaid;
    for (const [type, payload] of unsaid) say(type, payload);
  }

  /**
   * What waited on the broker has come. Where no answer is among it, the offer may have gone into a dead connection: a broker that has it refuses the second,
   * which answers no request and ends nothing.
   */
  resumed(say) {
    this.#unsaid = [];
    if (!this.#isAnswered && this.#peer?.signalingState === "have-local-offer") this.#offer(say);
  }

  /** New credentials: relays in use go on by theirs, those to come take these. */
  renew(iceServers) {
    this.#peer?.setConfiguration({ ...this.#peer.getConfiguration(), iceServers });
  }

  /** One that comes again, on a new connection, says nothing new. */
  async answer(sdp) {
    if (this.#peer?.signalingState !== "have-local-offer") return;
    this.#isAnswered = true;
    await this.#peer.setRemoteDescription(sdp).catch(() => this.watcher.state("ended", "The camera's answer was not understood."));
  }

  async candidate(candidate) {
    if (candidate) await this.#peer?.addIceCandidate(candidate).catch(() => {});
  }

  close() {
    this.#peer?.close();
  }
}
