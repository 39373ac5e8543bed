import Commands
import EventLog
import Models
import Store

/// Takes commands in and tells what became of them. What is stored lags behind the log by a moment, so the log has the last word.
struct CommandCounter: Sendable {
  let desk: CommandDesk
  let log: any EventLog
  let history: HistoryStore
  let ear: LiveEarHandle

  /// How long after its deadline a command that nobody settled is settled here.
  private static let grace = Duration.seconds(1)
  /// How long it may take until the bus is listened to.
  private static let listenMax = Duration.seconds(2)

  enum Result: Sendable {
    case taken(CommandView)
    case refused(CommandFailure)
    case unavailable
  }

  /// - Parameter wait: how long to wait for the outcome; the command goes its way however long that is.
  func send(_ request: CommandRequest, permission: Permission, now: Timestamp, wait: Duration) async throws -> Result {
    guard wait > .zero else { return await take(request, permission: permission, now: now).0 }
    return try await ear.listening(to: request.applianceID) { signals in
      guard let signals, await Self.isLive(signals) else { return await take(request, permission: permission, now: now).0 }
      let (result, command) = await take(request, permission: permission, now: now)
      guard case .taken(let view) = result, let command, !view.isSettled else { return result }
      // The log is asked at the end, whatever was heard.
      _ = await Self.within(min(wait, command.expiresAt - now + Self.grace)) {
        var heard = view
        for await signal in signals {
          if case .event(let event) = signal { heard.apply(event) }
          if case .lost = signal { return }
          if heard.isSettled { return }
        }
      }
      return .taken(try await current(command.id, of: command.applianceID) ?? view)
    }
  }

  private func take(_ request: CommandRequest, permission: Permission, now: Timestamp) async -> (Result, Command?) {
    switch await desk.request(request, permission: permission, now: now) {
    case .accepted(let command): return (.taken(CommandView(command, userID: request.userID)), command)
    case .failed(let failure):
      guard failure.code == .applianceOffline, let view = try? await current(failure.commandID, of: request.applianceID) else {
        return (.refused(failure), nil)
      }
      return (.taken(view), nil)
    case .unavailable: return (.unavailable, nil)
    }
  }

  /// A command as it is now; nil where there is none. One that is overdue, because no `ingest` runs that would settle it, is settled.
  func current(_ id: String, of appliance: ApplianceID) async throws -> CommandView? {
    let stored = try await history.command(id, of: appliance).map { CommandView($0) }
    if let stored, stored.isSettled { return stored }
    guard let view = try await read(id, of: appliance, since: stored) else { return nil }
    guard !view.isSettled, let command = view.command, command.expiresAt + Self.grace < .now() else { return view }
    _ = await desk.expire(command)
    return try await read(id, of: appliance, since: stored)
  }

  /// What the log's recent history adds.
  private func read(_ id: String, of appliance: ApplianceID, since stored: CommandView?) async throws -> CommandView? {
    var view = stored
    for event in try await log.history(of: appliance, after: .zero).events where event.type.rawValue.hasPrefix("command:") {
      if view == nil, let requested = CommandView(requestedBy: event), requested.id == id { view = requested }
      view?.apply(event)
    }
    return view
  }

  private static func isLive(_ signals: AsyncStream<LiveSignal>) async -> Bool {
    await within(listenMax) { await signals.first { _ in true } != nil } ?? false
  }

  /// What `body` returns, or nil when the time is over first.
  private static func within<Value: Sendable>(_ limit: Duration, _ body: @escaping @Sendable () async -> Value) async -> Value? {
    await withTaskGroup(of: Value?.self) { group in
      group.addTask { await body() }
      group.addTask {
        try? await Task.sleep(for: limit)
        return nil
      }
      defer { group.cancelAll() }
      return await group.next() ?? nil
    }
  }
}
