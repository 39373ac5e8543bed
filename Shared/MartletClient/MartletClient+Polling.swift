internal import Models
internal import NIOHTTP1

/// Live events without a WebSocket: what the API has stored since what was seen last.
extension MartletClient {
  /// Questions at a time.
  private static let questionsMax = 6
  /// Of an appliance in one round; the rest comes in the next.
  private static let eventsMax = "500"
  /// Of an appliance of which nothing was seen yet.
  private static let firstEvents = "20"

  /// One round over all appliances. What cannot be had now is had in the next round.
  func poll() async {
    sweep()
    do {
      try await askAll()
    } catch is SignedOut {
      return handle(.signedOut)
    } catch {
      onProblem("A round of polling failed: \(error)")
    }
    handle(.polled)
  }

  private func askAll() async throws {
    guard let api, timing.now() >= quietUntil else { return }
    var waiting = appliances.keys.sorted()[...]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for appliance in waiting.prefix(Self.questionsMax) { group.addTask { try await self.ask(api, appliance) } }
      waiting = waiting.dropFirst(Self.questionsMax)
      while try await group.next() != nil {
        if state == .polling, let appliance = waiting.popFirst() { group.addTask { try await self.ask(api, appliance) } }
      }
    }
  }

  private func ask(_ api: API, _ appliance: ApplianceID) async throws {
    guard let seen = appliances[appliance]?.seen else { return }
    let path = "/v1/appliances/\(Endpoint.escaped(appliance.rawValue))/events"
    do {
      let answer: JSONObject
      if let from = seen.time {
        answer = try await api.ask(.GET, path, query: ["from": from, "limit": Self.eventsMax])
      } else {
        answer = try await api.ask(.GET, path, query: ["order": "newest_first", "limit": Self.firstEvents])
      }
      // The WebSocket may have come back meanwhile, and tells them itself.
      guard state == .polling else { return }
      let events = (answer.elements("events") ?? []).compactMap { ServerFrame(parsing: Array($0)) }
      for event in seen.time == nil ? events.reversed() : events where event.isEvent { take(event) }
    } catch let error as APIError {
      if error.code == "appliance_not_found", state == .polling {
        lose(appliance, code: EpicuraRejection.Code.applianceNotFound.rawValue, message: error.message)
      }
      quietUntil = max(quietUntil, timing.now() + error.retryAfter)
    }
  }
}
