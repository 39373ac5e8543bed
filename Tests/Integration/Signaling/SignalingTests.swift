import Foundation
import LocalStack
import Testing

/// The signaling document between clients that are not ours, through two replicas of the broker.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SignalingTests {
  @Test(arguments: [0, 3]) func `A watch goes the document's way through two replicas, on one Redis and on a cluster`(
    _ redisMasters: Int
  ) async throws {
    try await SignalingScene.run(settings: SignalingScene.settings.merging(Self.turn) { $1 }, redisMasters: redisMasters) { scene in
      let camera = try await scene.camera("camera", on: 1)
      let viewer = try await scene.viewer("viewer", on: 2)
      try await viewer.send("heartbeat", "{}", requestID: "beat")
      _ = try await viewer.message("heartbeat_ack") { $0["request_id"]?.string == "beat" }
      try await camera.send("heartbeat", "{}")
      _ = try await camera.message("heartbeat_ack")

      try await viewer.send("watch_request", #"{"device_id":"cam-1"}"#, requestID: "req-001")
      let ready = try await viewer.message("watch_ready") { $0["request_id"]?.string == "req-001" }
      let session = try #require(ready["payload"]?["session_id"]?.string)
      let asked = try await camera.message("watch_request", of: session)
      #expect(asked["payload"]?["user_id"]?.string == "alice")
      for (message, name) in [(ready, "viewer_alice"), (asked, "device")] {
        guard case .array(let servers) = message["payload"]?["ice_servers"] else {
          Issue.record("no ice_servers in \(message)")
          continue
        }
        #expect(servers.first?["urls"]?.string == "stun:127.0.0.1:3478")
        #expect(servers.last?["username"]?.string?.hasSuffix(":\(name)_\(session.prefix(8))") == true)
        #expect(servers.last?["credentialType"]?.string == "password")
      }

      // Candidates before the descriptions: they wait.
      try await viewer.send("signal_ice", SignalingScene.candidate(session, 1))
      try await camera.send("signal_ice", SignalingScene.candidate(session, 2))
      try await viewer.send("signal_offer", #"{"session_id":"\#(session)","sdp":{"type":"offer","sdp":"v=0\r\n","x":1.50}}"#)
      let offer = try await camera.message("signal_offer", of: session)
      #expect(offer["payload"]?["sdp"] == (try JSON(#"{"type":"offer","sdp":"v=0\r\n","x":1.5}"#)))
      try await camera.send("signal_answer", #"{"session_id":"\#(session)","sdp":{"type":"answer","sdp":"v=0"}}"#)
      for number in 3..<40 {
        try await viewer.send("signal_ice", SignalingScene.candidate(session, number))
        try await camera.send("signal_ice", SignalingScene.candidate(session, number))
      }
      try await camera.send("signal_ice", #"{"session_id":"\#(session)","candidate":null}"#)
      _ = try await viewer.find("null candidate") { $0.contains { $0["payload"]?["candidate"] == .null } ? true : nil }
      #expect(await viewer.order(of: session) == ["signal_answer", "2"] + (3..<40).map(String.init) + ["null"])
      _ = try await camera.find("last candidate") { $0.contains { $0["payload"]?["candidate"]?["n"]?.int == 39 } ? true : nil }
      #expect(await camera.order(of: session) == ["watch_request", "signal_offer", "1"] + (3..<40).map(String.init))

      try await viewer.send("end_watch", #"{"session_id":"\#(session)"}"#)
      #expect(try await camera.end(of: session) == "user_ended")
      #expect(try await viewer.end(of: session) == "user_ended")
      try await scene.waitForEnd(session, "user_ended")
      try await scene.waitForRow(
        "alice|cam-1|t", "SELECT user_id, appliance_id, answered_at BETWEEN started_at AND ended_at FROM watch_sessions")
      try await scene.waitUntilNothingIsLeft()
    }
  }

  private static let turn = [
    "MARTLET_STUN_URLS": "stun:127.0.0.1:3478", "MARTLET_TURN_URLS": "turn:127.0.0.1:3478?transport=udp", "MARTLET_TURN_SECRET": "north",
  ]

  @Test func `A simulated camera answers, and its end is told at once`() async throws {
    try await SignalingScene.run(settings: ["MARTLET_GRACE_SECONDS": "8"]) { scene in
      let url = try scene.url("device", on: 1)
      try await scene.stack.keepMartletctl("simulated-camera", ["simulate", "camera", "cam-1", "--url", url])
      try await scene.poll("the camera to be online", limit: .seconds(20)) {
        try await !scene.stack.redis.cli("KEYS", "signal:{*}:device:cam-1").isEmpty
      }
      let viewer = try await scene.viewer("viewer", on: 2)
      let session = try await scene.request(viewer)
      try await viewer.send("signal_offer", #"{"session_id":"\#(session)","sdp":{"type":"offer","sdp":"v=0\r\nm=video 9 UDP 96\r\n"}}"#)
      let answer = try await viewer.message("signal_answer", of: session)
      #expect(answer["payload"]?["sdp"]?["sdp"]?.string?.contains("m=video 0 UDP 96\r\n") == true)
      _ = try await viewer.message("signal_ice", of: session) { $0["payload"]?["candidate"] == .null }
      try await scene.stack.stop("simulated-camera")
      #expect(try await viewer.end(of: session) == "device_disconnected")
      try await scene.waitForEnd(session, "device_disconnected")
    }
  }

  @Test func `A device that is offline and one that is none of the user's`() async throws {
    try await SignalingScene.run { scene in
      let alice = try await scene.viewer("alice", on: 1)
      let bob = try await scene.viewer("bob", "bob", on: 1)
      _ = try await scene.camera("camera", "cam-2", on: 2)
      for (viewer, device, error) in [
        (alice, "cam-1", "Device is offline"), (alice, "cam-9", "Device not found"), (alice, "no such id", "Device not found"),
        (bob, "cam-1", "Device not found"), (bob, "cam-2", "Device not found"), (bob, "cam-9", "Device not found"),
      ] {
        let id = "\(viewer.name) \(device)"
        try await viewer.send("watch_request", #"{"device_id":"\#(device)"}"#, requestID: id)
        #expect(try await viewer.error(id) == error)
      }
      #expect(try await scene.stack.postgres.query("SELECT count(*) FROM watch_sessions") == "0")
    }
  }

  @Test func `Who does not prove who it is is closed with 1008`() async throws {
    try await SignalingScene.run(replicas: 1) { scene in
      let viewer = try await scene.clients.open("viewer", scene.url("viewer", on: 1))
      try await viewer.send("hello", #"{"token":"nonsense"}"#)
      #expect(try await viewer.closing() == "1008 Invalid or expired token")
      let camera = try await scene.clients.open("camera", scene.url("device", on: 1))
      try await camera.send("hello", #"{"device_id":"cam-9"}"#)
      #expect(try await camera.closing() == "1008 Device not found")

      // Without a secret, and without the word that it needs none.
      _ = try await scene.stack.postgres.query("UPDATE appliances SET accepts_unproven = false WHERE id = 'cam-1'")
      let unproven = try await scene.clients.open("unproven", scene.url("device", on: 1))
      try await unproven.send("hello", #"{"device_id":"cam-1"}"#)
      #expect(try await unproven.closing() == "1008 Device not found")
      try await scene.poll("the reason in the log", limit: .seconds(10)) {
        try String(contentsOfFile: scene.stack.folder.log("signaling-1"), encoding: .utf8)
          .contains("it has no secret and is not registered with accepts_unproven")
      }

      let secret = String(repeating: "n", count: 43)
      _ = try await scene.stack.postgres.query(
        "INSERT INTO device_credentials (appliance_id, secret_sha256) VALUES ('cam-2', sha256('\(secret)'))")
      for (name, token, reason) in [
        ("none", nil, "Device not found"), ("wrong", String(repeating: "s", count: 43), "Invalid or expired token"),
      ] {
        let camera = try await scene.clients.open(name, scene.url("device", on: 1), token: token)
        try await camera.send("hello", #"{"device_id":"cam-2"}"#)
        #expect(try await camera.closing() == "1008 \(reason)")
      }
      let proven = try await scene.clients.open("proven", scene.url("device", on: 1), token: secret)
      try await proven.send("hello", #"{"device_id":"cam-2"}"#)
      _ = try await proven.message("hello_ack")
    }
  }

  @Test func `Each loss is told with its reason and closes its row`() async throws {
    try await SignalingScene.run { scene in
      let cameras = (try await scene.camera("camera-1", on: 1), try await scene.camera("camera-2", "cam-2", on: 2))
      let viewer = try await scene.viewer("viewer", on: 2)

      let left = try await scene.viewer("left", on: 2)
      let first = try await scene.watch(left, cameras.0)
      try left.close()
      #expect(try await cameras.0.end(of: first) == "viewer_disconnected")
      try await scene.waitForEnd(first, "viewer_disconnected")

      let cut = try await scene.viewer("cut", on: 2)
      let second = try await scene.watch(cut, cameras.0)
      try cut.cut()
      #expect(try await cameras.0.end(of: second) == "viewer_disconnected")
      try await scene.waitForEnd(second, "viewer_disconnected")

      let third = try await scene.watch(viewer, cameras.0)
      try cameras.0.cut()
      #expect(try await viewer.end(of: third) == "device_disconnected")
      try await scene.waitForEnd(third, "device_disconnected")

      let both = try await scene.viewer("both", on: 1)
      let fourth = try await scene.watch(both, cameras.1, "cam-2")
      try both.cut()
      try cameras.1.cut()
      // Whichever loss was heard of first.
      try await scene.waitForRow(
        "t", "SELECT reason IN ('viewer_disconnected', 'device_disconnected') FROM watch_sessions WHERE id = '\(fourth)'")
      try await scene.waitUntilNothingIsLeft()
    }
  }

  @Test func `A device that comes back in time keeps its session, on whichever replica`() async throws {
    try await SignalingScene.run(settings: SignalingScene.settings.merging(["MARTLET_GRACE_SECONDS": "8"]) { $1 }) { scene in
      let viewer = try await scene.viewer("viewer", on: 1)
      let camera = try await scene.camera("camera", on: 1)
      let session = try await scene.watch(viewer, camera)
      try camera.cut()
      try await viewer.send("signal_ice", SignalingScene.candidate(session, 1))
      let back = try await scene.camera("camera-back", on: 2)
      _ = try await back.message("signal_ice", of: session)
      try await back.send("signal_ice", SignalingScene.candidate(session, 2))
      _ = try await viewer.message("signal_ice", of: session)

      // The viewer comes back too, on the other replica, and goes on by the session's name.
      try viewer.cut()
      try await back.send("signal_ice", SignalingScene.candidate(session, 3))
      let again = try await scene.viewer("viewer-back", on: 2)
      try await again.send("signal_ice", SignalingScene.candidate(session, 4))
      _ = try await back.find("candidate 4") { $0.contains { $0["payload"]?["candidate"]?["n"]?.int == 4 } ? true : nil }
      _ = try await again.find("candidate 3") { $0.contains { $0["payload"]?["candidate"]?["n"]?.int == 3 } ? true : nil }

      // Before its answer, a device is told everything anew.
      let early = try await scene.request(again)
      _ = try await back.message("watch_request", of: early)
      try await again.send("signal_offer", #"{"session_id":"\#(early)","sdp":{"type":"offer"}}"#)
      _ = try await back.message("signal_offer", of: early)
      try back.cut()
      let anew = try await scene.camera("camera-anew", on: 1)
      _ = try await anew.message("watch_request", of: early)
      _ = try await anew.message("signal_offer", of: early)
      for id in [session, early] {
        try await again.send("end_watch", #"{"session_id":"\#(id)"}"#)
        #expect(try await anew.end(of: id) == "user_ended")
      }
      try await scene.waitUntilNothingIsLeft()
    }
  }

  @Test func `One camera is watched by several, and by no more than may be`() async throws {
    let settings = SignalingScene.settings.merging(["MARTLET_VIEWERS_PER_DEVICE": "2"]) { $1 }
    try await SignalingScene.run(settings: settings) { scene in
      let camera = try await scene.camera("camera", on: 1)
      let viewers = (
        try await scene.viewer("first", on: 1), try await scene.viewer("second", on: 2), try await scene.viewer("third", on: 2)
      )
      let first = try await scene.watch(viewers.0, camera)
      let second = try await scene.watch(viewers.1, camera)
      try await viewers.2.send("watch_request", #"{"device_id":"cam-1"}"#, requestID: "third")
      #expect(try await viewers.2.error("third") == "Device has too many viewers")
      // Each is told of its own session alone.
      for (viewer, session, number) in [(viewers.0, first, 1), (viewers.1, second, 2)] {
        try await camera.send("signal_ice", SignalingScene.candidate(session, number))
        _ = try await viewer.message("signal_ice", of: session)
        #expect(await viewer.messages().allSatisfy { [nil, session].contains($0["payload"]?["session_id"]?.string) })
      }
      try await viewers.0.send("end_watch", #"{"session_id":"\#(first)"}"#)
      #expect(try await camera.end(of: first) == "user_ended")
      _ = try await scene.watch(viewers.2, camera)
      #expect(await viewers.1.messages().allSatisfy { $0["type"]?.string != "watch_ended" })
    }
  }

  @Test func `A second hello of a device wins, and its sessions go on there`() async throws {
    try await SignalingScene.run { scene in
      let viewer = try await scene.viewer("viewer", on: 1)
      let old = try await scene.camera("old", on: 1)
      let session = try await scene.watch(viewer, old)
      let new = try await scene.camera("new", on: 2)
      #expect(try await old.closing() == "1008 Another connection of this device took the place of this one")
      try await viewer.send("signal_ice", SignalingScene.candidate(session, 1))
      _ = try await new.message("signal_ice", of: session)
      let twin = try await scene.camera("twin", on: 2)
      #expect(try await new.closing().hasPrefix("1008 "))
      try await viewer.send("signal_ice", SignalingScene.candidate(session, 2))
      _ = try await twin.message("signal_ice", of: session)
      try twin.close()
      #expect(try await viewer.end(of: session) == "device_disconnected")
      try await scene.waitForEnd(session, "device_disconnected")
      #expect(await viewer.messages().count { $0["type"]?.string == "watch_ended" } == 1)
    }
  }

  @Test func `Each step has its time-out`() async throws {
    let settings = SignalingScene.settings.merging(["MARTLET_CANDIDATE_SECONDS": "2", "MARTLET_WATCH_SECONDS": "10"]) { $1 }
    try await SignalingScene.run(settings: settings) { scene in
      let viewer = try await scene.viewer("viewer", on: 1)
      let camera = try await scene.camera("camera", on: 2)
      let tooLong = try await scene.watch(viewer, camera)
      try await viewer.send("signal_ice", SignalingScene.candidate(tooLong, 1))
      let noOffer = try await scene.request(viewer)
      let noAnswer = try await scene.request(viewer)
      try await viewer.send("signal_offer", #"{"session_id":"\#(noAnswer)","sdp":{"type":"offer"}}"#)
      let noCandidate = try await scene.watch(viewer, camera)
      for session in [noOffer, noAnswer, noCandidate, tooLong] {
        #expect(try await viewer.end(of: session) == "timeout")
        #expect(try await camera.end(of: session) == "timeout")
        try await scene.waitForEnd(session, "timeout")
      }
      try await scene.waitUntilNothingIsLeft()
    }
  }

  @Test func `An end that was asked for comes also when its announcement was lost`() async throws {
    try await SignalingScene.run { scene in
      let viewer = try await scene.viewer("viewer", on: 1)
      let session = try await scene.watch(viewer, scene.camera("camera", on: 2))
      try await scene.waitForRow("1", "SELECT count(*) FROM watch_sessions WHERE ended_at IS NULL")
      _ = try await scene.stack.postgres.query(
        "UPDATE watch_sessions SET end_requested_at = now(), end_requested_by = 'admin' WHERE id = '\(session)'")
      #expect(try await viewer.end(of: session) == "user_ended")
    }
  }

  @Test func `Sessions are listed, inspected and ended through the API, and who ended one stays known`() async throws {
    try await SignalingScene.run(withAPI: true) { scene in
      _ = try await scene.stack.postgres.query(
        "INSERT INTO appliance_shares (appliance_id, user_id, role) VALUES ('cam-1', 'bob', 'viewer')")
      let (alice, bob) = (try await scene.viewer("alice", on: 1), try await scene.viewer("bob", "bob", on: 2))
      let camera = try await scene.camera("camera", on: 2)
      let (hers, his) = (try await scene.watch(alice, camera), try await scene.watch(bob, camera))
      try await scene.waitForRow("2", "SELECT count(*) FROM watch_sessions WHERE ended_at IS NULL")

      // The owner sees both, a guest the own one.
      func listed(_ user: String, _ state: String) async throws -> Set<String> {
        let lines = try await scene.martletctl(as: user, "watches", "cam-1", "--state", state, "--json").split(separator: "\n")
        return Set(try lines.compactMap { try JSON(String($0))["session_id"]?.string })
      }
      #expect(try await listed("alice", "open") == [hers, his])
      #expect(try await listed("bob", "open") == [his])
      #expect(try await scene.martletctl(as: "bob", "end-watch", "cam-1", hers).contains("session_not_found"))

      #expect(try await scene.martletctl(as: "alice", "end-watch", "cam-1", his) == "the session is being ended\n")
      #expect(try await bob.end(of: his) == "user_ended")
      #expect(try await camera.end(of: his) == "user_ended")
      try await scene.waitForRow("user_ended|alice", "SELECT reason, end_requested_by FROM watch_sessions WHERE id = '\(his)'")
      #expect(try await listed("bob", "open").isEmpty)
      #expect(try await listed("alice", "ended") == [his])
      #expect(try await scene.martletctl(as: "alice", "end-watch", "cam-1", his) == "the session is over already: user_ended\n")
      #expect(try String(contentsOfFile: scene.stack.folder.log("api-1"), encoding: .utf8).contains(#""asked_by":"alice""#))
      try await alice.send("signal_ice", SignalingScene.candidate(hers, 1))
      _ = try await camera.message("signal_ice", of: hers)
    }
  }

  @Test func `Both ends that understand it get new credentials of their own, before the last ones run out`() async throws {
    let life = 16
    let settings = SignalingScene.settings.merging(Self.turn) { $1 }.merging(["MARTLET_TURN_SECONDS": String(life)]) { $1 }
    try await SignalingScene.run(settings: settings) { scene in
      let features = #"["ice_servers"]"#
      let camera = try await scene.camera("camera", on: 2, features: features)
      let viewer = try await scene.viewer("viewer", on: 1, features: features)
      let (plainCamera, plainViewer) = (try await scene.camera("plain-camera", "cam-2", on: 1), try await scene.viewer("plain", on: 2))
      let session = try await scene.watch(viewer, camera)
      let (toPlain, fromPlain) = (
        try await scene.watch(plainViewer, camera), try await scene.watch(viewer, plainCamera, "cam-2")
      )
      for (one, id) in [(viewer, session), (plainViewer, toPlain), (viewer, fromPlain)] {
        try await one.send("signal_ice", SignalingScene.candidate(id, 1))
      }
      for (end, first, name) in [(camera, "watch_request", "device"), (viewer, "watch_ready", "viewer_alice")] {
        let last = try await Self.credential(of: end.message(first, of: session))
        let renewed = try await Self.credential(of: end.message("ice_servers", of: session))
        for credential in [last, renewed] { #expect(credential.name == "\(name)_\(session.prefix(8))") }
        // Made when the last one was still good.
        #expect(last.end < renewed.end && renewed.end - life < last.end)
        #expect(last.password != renewed.password)
      }
      // Who does not say that it understands them hears nothing of those of its own session.
      for (teller, viewer, end, id) in [(camera, plainViewer, plainViewer, toPlain), (viewer, viewer, plainCamera, fromPlain)] {
        _ = try await teller.message("ice_servers", of: id)
        try await viewer.send("end_watch", #"{"session_id":"\#(id)"}"#)
        #expect(try await end.end(of: id) == "user_ended")
        #expect(await !end.messages().contains { $0["type"]?.string == "ice_servers" })
      }
    }
  }

  /// TURN's user name in its two parts, and the password.
  private static func credential(of message: JSON) throws -> (end: Int, name: String, password: String) {
    guard case .array(let servers) = message["payload"]?["ice_servers"], let turn = servers.last,
      let parts = turn["username"]?.string?.split(separator: ":"), parts.count == 2, let end = Int(parts[0])
    else { throw Mailbox.Expired(description: "no credential in \(message)") }
    return (end, String(parts[1]), turn["credential"]?.string ?? "")
  }

  @Test func `What a camera says of itself is kept and is an event`() async throws {
    try await SignalingScene.run(replicas: 1, withAPI: true) { scene in
      @Sendable func presence() async throws -> JSON { try JSON(await scene.martletctl(as: "alice", "presence", "cam-1", "--json")) }
      let nothing = try await presence()
      #expect(nothing["connected"] == .bool(false) && nothing["data"] == .null && nothing["data_age_s"] == .null)
      let camera = try await scene.camera("camera", on: 1)
      try await camera.send("device_presence", #"{"battery":85,"recording":false}"#)
      try await camera.send("heartbeat", "{}")
      _ = try await camera.message("heartbeat_ack")
      let shard = "signal:{*}:presence:cam-1"
      let key = try await scene.stack.redis.cli("KEYS", shard)
      #expect(try await scene.stack.redis.cli("HGET", key, "data") == #"{"battery":85,"recording":false}"#)
      let state = try await scene.stack.redis.cli("KEYS", "state:{*}:cam-1")
      #expect(try await scene.stack.redis.cli("HGETALL", state).contains("appliance:presence"))

      let told = try await presence()
      let said = try JSON(#"{"battery":85,"recording":false}"#)
      #expect(told["connected"] == .bool(true) && told["data"] == said)
      #expect(told["connected_since"]?.string != nil && told["data_age_s"]?.int != nil)
      #expect(try await scene.martletctl(as: "bob", "presence", "cam-1").contains("appliance_not_found"))
      try camera.close()
      try await scene.poll("the camera to be told as away", limit: .seconds(10)) { try await presence()["connected"] == .bool(false) }
      #expect(try await presence()["data"] == said)
    }
  }
}
