internal import Models

/// Frames that come, and the sequences that they go to.
extension MartletClient {
  func say(_ message: EpicuraClientMessage) { socket?.send(message.encoded()) }

  func received(_ text: [UInt8]?, _ attempt: Int) {
    guard attempt == self.attempt else { return }
    handle(.frame)
    guard let frame = text.flatMap(ServerFrame.init(parsing:)) else { return onProblem("A frame was ignored that is no message.") }
    if frame.isEvent { return take(frame) }
    switch frame.type {
    case "connected": handle(.connected)
    case "subscribed": subscribed(frame)
    case "token:expiring": handle(.expiring)
    case "error": erred(frame)
    default: break
    }
  }

  /// An event, live or polled. Those that were seen before are let go.
  func take(_ frame: ServerFrame) {
    guard let appliance = frame.applianceID else { return }
    guard appliances[appliance]?.seen.isNew(frame.type, frame.id) ?? true else { return }
    tell(commands.take(frame))
    tell(MartletEvent(frame, of: appliance), of: appliance)
  }

  private func subscribed(_ frame: ServerFrame) {
    guard let appliance = frame.applianceID else { return }
    appliances[appliance]?.failures = 0
    tell(MartletEvent(frame, of: appliance), of: appliance)
  }

  private func erred(_ frame: ServerFrame) {
    tell(commands.take(frame))
    let (code, message) = (frame.data.string("code") ?? "", frame.data.string("message") ?? "")
    guard let appliance = frame.applianceID, appliances[appliance] != nil else {
      return onProblem("The server told of an error: \(message.isEmpty ? code : message)")
    }
    switch EpicuraRejection.Code(rawValue: code) {
    case .temporarilyUnavailable: askLater(appliance)
    case .applianceNotFound, .tooManySubscriptions: lose(appliance, code: code, message: message)
    default: break
    }
  }

  // MARK: Following

  func follow(_ name: String, since: EventID?, _ feed: EventFeed) {
    do {
      let appliance = try ApplianceID(name)
      let isNew = appliances[appliance] == nil
      appliances[appliance, default: Followed(feeds: [], seen: SeenEvents(last: since))].feeds.append(feed)
      if isNew { ask(appliance) }
    } catch {
      feed.offer(.lost(name, code: EpicuraRejection.Code.applianceNotFound.rawValue, message: error.description))
    }
  }

  func ask(_ appliance: ApplianceID) {
    guard state == .websocket, let followed = appliances[appliance] else { return }
    say(.subscribe(appliance, since: followed.seen.last))
  }

  func askAgain(_ name: String) {
    if let appliance = try? ApplianceID(name) { ask(appliance) }
  }

  private func askLater(_ appliance: ApplianceID) {
    appliances[appliance]?.failures += 1
    let failures = appliances[appliance]?.failures ?? 1
    set(.subscribe(appliance.rawValue), ReconnectSchedule.wait(beforeAttempt: failures, random: timing.random()))
  }

  private func tell(_ event: MartletEvent, of appliance: ApplianceID) {
    guard let feeds = appliances[appliance]?.feeds else { return }
    let open = feeds.filter { $0.offer(event) }
    if open.count < feeds.count { leave(appliance) }
  }

  /// Lets go of sequences that nobody reads any more.
  func sweep() {
    for appliance in appliances.keys { leave(appliance) }
  }

  private func leave(_ appliance: ApplianceID) {
    appliances[appliance]?.feeds.removeAll { !$0.isOpen }
    guard appliances[appliance]?.feeds.isEmpty == true else { return }
    appliances[appliance] = nil
    timers[.subscribe(appliance.rawValue)] = nil
    say(.unsubscribe(appliance))
  }

  /// The appliance is none of the user's.
  func lose(_ appliance: ApplianceID, code: String, message: String) {
    guard let lost = appliances.removeValue(forKey: appliance) else { return }
    for feed in lost.feeds {
      feed.offer(.lost(appliance.rawValue, code: code, message: message))
      endIfLost(feed)
    }
  }

  /// A sequence that no appliance is left to ends.
  func endIfLost(_ feed: EventFeed) {
    if !appliances.values.contains(where: { $0.feeds.contains { $0 === feed } }) { feed.finish() }
  }
}
