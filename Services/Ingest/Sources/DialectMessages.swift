import Models

extension Translation {
  /// A heater module's frame: always whole, and of the module and kind that its topic names.
  static func reefnet(
    _ kind: ReefnetFrame.Kind, of module: ApplianceID, _ payload: [UInt8], _ receivedAt: Timestamp
  ) throws(Rejection) -> Event {
    let frame: ReefnetFrame
    do { frame = try ReefnetFrame(parsing: payload) } catch {
      throw Rejection(reason: .init(error), explanation: error.description)
    }
    guard frame.moduleID == module else {
      throw Rejection(reason: .contradictsTopic, explanation: "the frame's module_id is '\(frame.moduleID)'")
    }
    guard frame.kind == kind else {
      throw Rejection(reason: .contradictsTopic, explanation: "the frame's type is '\(frame.kind.rawValue)'")
    }
    return frame.event(receivedAt: receivedAt)
  }

  /// A robot's event: the document's frame, which does not name its robot, or its `data` alone.
  static func oht50(_ type: EventType, of robot: ApplianceID, _ message: DeviceMessage) throws(Rejection) -> Event {
    let event = try message.event(of: type, from: robot, mayOmitSender: true)
    guard let shape = OHT50EventType(type)?.shape else { return event }
    do {
      try shape.check(try JSONObject(parsing: event.data))
    } catch {
      throw Rejection(reason: .invalidMember, explanation: "\(error)")
    }
    return event
  }
}

extension Rejection.Reason {
  fileprivate init(_ refusal: ReefnetRefusal) {
    self =
      switch refusal {
      case .malformed(.malformed): .malformedPayload
      case .malformed, .noCommand: .invalidMember
      case .foreignProtocol: .foreignProtocol
      case .unknownType: .contradictsTopic
      }
  }
}
