internal import Models

/// The session as Redis keeps it: a JSON object.
extension WatchSession {
  func encoded() -> [UInt8] {
    var text: [UInt8] = []
    text.append("{\"device\":")
    text.append(json: device.rawValue)
    text.append(",\"user\":")
    text.append(json: userID)
    text.append(",\"phase\":")
    text.append(json: phase.rawValue)
    Self.append("began", beganAt, to: &text)
    Self.append("phase_began", phaseBeganAt, to: &text)
    Self.append("renewed", renewedAt, to: &text)
    if let answeredAt { Self.append("answered", answeredAt, to: &text) }
    if hasCandidate { text.append(",\"has_candidate\":1") }
    Self.append("device_end", deviceEnd, to: &text)
    Self.append("viewer_end", viewerEnd, to: &text)
    Self.append("held_for_device", heldForDevice, to: &text)
    Self.append("held_for_viewer", heldForViewer, to: &text)
    text.append(UInt8(ascii: "}"))
    return text
  }

  /// Nil for what `encoded()` did not write.
  init?(id: WatchID, parsing text: [UInt8]) {
    guard let object = try? JSONObject(parsing: text), let name = object.string("device"), let device = try? ApplianceID(name),
      let userID = object.string("user"), let phase = object.string("phase").flatMap(Phase.init),
      let beganAt = object.timestamp("began"), let phaseBeganAt = object.timestamp("phase_began"),
      let renewedAt = object.timestamp("renewed"), let deviceEnd = object.end("device_end"), let viewerEnd = object.end("viewer_end")
    else { return nil }
    self.init(id: id, device: device, userID: userID, deviceSeat: deviceEnd.seat, viewerSeat: viewerEnd.seat, now: beganAt)
    (self.deviceEnd, self.viewerEnd, self.phase) = (deviceEnd, viewerEnd, phase)
    (self.phaseBeganAt, self.renewedAt, answeredAt) = (phaseBeganAt, renewedAt, object.timestamp("answered"))
    hasCandidate = object.contains("has_candidate")
    heldForDevice = object.signals("held_for_device")
    heldForViewer = object.signals("held_for_viewer")
  }

  private static func append(_ name: StaticString, _ moment: Timestamp, to text: inout [UInt8]) {
    text.append(",\"")
    text.append(name)
    text.append("\":\"")
    text += String(moment.microseconds).utf8
    text.append(UInt8(ascii: "\""))
  }

  /// `"replica connection generation"`, and behind it when it was lost.
  private static func append(_ name: StaticString, _ end: End, to text: inout [UInt8]) {
    text.append(",\"")
    text.append(name)
    text.append("\":")
    let lost = end.lostAt.map { " \($0.microseconds)" } ?? ""
    text.append(json: "\(end.seat.replica) \(end.seat.connection) \(end.seat.generation)\(lost)")
  }

  /// An object with a member for each, in their order: a letter for its kind, its number, its bytes.
  private static func append(_ name: StaticString, _ held: [Signal], to text: inout [UInt8]) {
    guard !held.isEmpty else { return }
    text.append(",\"")
    text.append(name)
    text.append("\":{")
    for (index, signal) in held.enumerated() {
      let kind =
        switch signal {
        case .offer: "o";
        case .answer: "a";
        case .candidate: "c"
        }
      text += "\(index == 0 ? "" : ",")\"\(kind)\(index)\":".utf8
      text += signal.bytes
    }
    text.append(UInt8(ascii: "}"))
  }
}

extension JSONObject {
  fileprivate func timestamp(_ name: String) -> Timestamp? {
    string(name).flatMap { Int64($0) }.map(Timestamp.init(microseconds:))
  }

  fileprivate func end(_ name: String) -> WatchSession.End? {
    let parts = (string(name) ?? "").split(separator: " ")
    guard parts.count >= 3, let connection = UInt64(parts[1]), let generation = Int64(parts[2]) else { return nil }
    let lostAt = parts.count > 3 ? Int64(parts[3]).map(Timestamp.init(microseconds:)) : nil
    return WatchSession.End(
      seat: WatchSession.Seat(replica: String(parts[0]), connection: connection, generation: generation), lostAt: lostAt)
  }

  fileprivate func signals(_ name: String) -> [WatchSession.Signal] {
    guard let held = object(name) else { return [] }
    return held.members.map { member in
      let bytes = Array(held.raw(member))
      return switch member.name.first {
      case "o": .offer(bytes)
      case "a": .answer(bytes)
      default: .candidate(bytes)
      }
    }
  }
}
