import Models

/// A camera without a picture: what it says to the signaling broker, and what it answers (the signaling document, "Device Messages"). Pure.
struct CameraPlay: Sendable {
  /// What it does next: frames to send, and a line for whoever looks on.
  struct Step: Hashable {
    var frames: [[UInt8]] = []
    var line: String?
    /// The broker has let it in.
    var isWelcome = false
  }

  let device: ApplianceID

  func hello(now: Timestamp) -> [UInt8] { Self.frame("hello", #"{"device_id":"\#(device)"}"#, now) }
  func heartbeat(now: Timestamp) -> [UInt8] { Self.frame("heartbeat", "{}", now) }

  func hear(_ text: [UInt8], now: Timestamp) -> Step {
    guard let message = try? JSONObject(parsing: text), let type = message.string("type"), let payload = message.object("payload") else {
      return Step(line: "the broker said what no camera understands")
    }
    let session = payload.string("session_id").flatMap { WatchID($0) }
    switch (type, session) {
    case ("hello_ack", _):
      let presence = Self.frame("device_presence", #"{"battery":85,"temperature":45,"recording":false}"#, now)
      return Step(frames: [presence], line: "\(device) is connected", isWelcome: true)
    case ("watch_request", let session?): return Step(line: "\(session): \(payload.string("user_id") ?? "?") wants to watch")
    case ("signal_offer", let session?):
      return Step(frames: Self.answer(payload.object("sdp")?.string("sdp") ?? "", session, now), line: "\(session): answered an offer")
    case ("watch_ended", let session?): return Step(line: "\(session): ended, \(payload.string("reason") ?? "?")")
    case ("error", _): return Step(line: "the broker refused: \(payload.string("message") ?? "?")")
    default: return Step()
    }
  }

  /// An answer, a candidate that leads nowhere (RFC 5737), and the end of candidates.
  private static func answer(_ offer: String, _ session: WatchID, _ now: Timestamp) -> [[UInt8]] {
    var sdp: [UInt8] = []
    sdp.append(json: description(for: offer))
    let candidate = #"{"candidate":"candidate:1 1 UDP 2130706431 192.0.2.1 9 typ host","sdpMid":"0","sdpMLineIndex":0}"#
    return [
      frame("signal_answer", #"{"session_id":"\#(session)","sdp":{"type":"answer","sdp":\#(String(decoding: sdp, as: UTF8.self))}}"#, now),
      frame("signal_ice", #"{"session_id":"\#(session)","candidate":\#(candidate)}"#, now),
      frame("signal_ice", #"{"session_id":"\#(session)","candidate":null}"#, now),
    ]
  }

  /// Takes the offer and refuses each of its streams (port 0, RFC 3264, section 6), so that a browser takes it for an answer.
  private static func description(for offer: String) -> String {
    var lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    let head = lines.count
    for line in offer.split(whereSeparator: \.isNewline) {
      if line.hasPrefix("m=") {
        var parts = line.split(separator: " ")
        if parts.count > 1 { parts[1] = "0" }
        lines += [parts.joined(separator: " "), "c=IN IP4 0.0.0.0", "a=inactive"]
      } else if line.hasPrefix("a=mid:"), lines.count > head {
        lines.append(String(line))
      }
    }
    if lines.count == head { lines += ["m=video 0 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=inactive"] }
    return lines.map { $0 + "\r\n" }.joined()
  }

  private static func frame(_ type: String, _ payload: String, _ now: Timestamp) -> [UInt8] {
    Array(#"{"type":"\#(type)","ts":"\#(now.iso8601)","payload":\#(payload)}"#.utf8)
  }
}
