internal import Models

/// What `run` does in a task of its own.
enum Work: Sendable {
  case connect(attempt: Int, isRenewed: Bool)
  case renew(attempt: Int)
  case poll
  /// Waits, and fires the timer unless it was set anew.
  case wait(TimerName, setting: Int, Duration)
}

/// Carries out what the connection decides.
extension MartletClient {
  func handle(_ input: Connection.Input) {
    for action in connection.handle(input) { carryOut(action) }
  }

  private func carryOut(_ action: Connection.Action) {
    switch action {
    case .connect(let isRenewed):
      attempt += 1
      work?.yield(.connect(attempt: attempt, isRenewed: isRenewed))
    case .drop: drop()
    case .ping:
      sweep()
      say(.ping)
    case .subscribe: for appliance in appliances.keys.sorted() { ask(appliance) }
    case .renew: work?.yield(.renew(attempt: attempt))
    case .poll: work?.yield(.poll)
    case .set(let timer, let duration): set(timer, duration)
    case .cancel(let timer): timers[timer] = nil
    case .become(let state): changed(to: state)
    case .fail(let error):
      failure = error
      work?.finish()
    }
  }

  func perform(_ work: Work) async {
    switch work {
    case .connect(let attempt, let isRenewed): await connect(attempt, isRenewed: isRenewed)
    case .renew(let attempt): await renew(attempt)
    case .poll: await poll()
    case .wait(let timer, let setting, let duration):
      do { try await timing.sleep(duration, timer) } catch { return }
      guard timers[timer] == setting else { return }
      timers[timer] = nil
      if case .subscribe(let appliance) = timer { askAgain(appliance) } else { handle(.fired(timer)) }
    }
  }

  func set(_ timer: TimerName, _ duration: Duration) {
    settings += 1
    timers[timer] = settings
    work?.yield(.wait(timer, setting: settings, duration))
  }

  private func changed(to state: ConnectionState) {
    if state != .websocket { tell(commands.connectionLost(hasAPI: api != nil)) }
    watchers.removeAll { watcher in
      if case .terminated = watcher.yield(state) { true } else { false }
    }
  }

  /// `run` is over: nobody is left waiting.
  func end() {
    connection.end().forEach(carryOut)
    drop()
    timers = [:]
    for watcher in watchers { watcher.finish() }
    for feed in appliances.values.flatMap(\.feeds) { feed.finish() }
    (watchers, appliances) = ([], [:])
    tell(commands.connectionClosed())
  }

  // MARK: The socket

  private func connect(_ attempt: Int, isRenewed: Bool) async {
    do {
      let token = try await token?(isRenewed)
      guard attempt == self.attempt else { return }
      let socket = WebSocket(endpoint)
      self.socket = socket
      ended(attempt, try await socket.run(token: token) { await self.received($0, attempt) })
    } catch is SignedOut {
      if attempt == self.attempt { handle(.signedOut) }
    } catch {
      ended(attempt, .lost)
    }
  }

  private func drop() {
    socket?.drop()
    ended(attempt, .lost)
  }

  private func ended(_ attempt: Int, _ closing: Closing) {
    guard attempt == self.attempt else { return }
    self.attempt += 1
    socket = nil
    handle(.ended(closing, random: timing.random()))
  }

  private func renew(_ attempt: Int) async {
    do {
      guard let token = try await token?(true), attempt == self.attempt else { return }
      say(.auth(token: token))
    } catch {
      guard attempt == self.attempt else { return }
      handle(error is SignedOut ? .signedOut : .renewalFailed)
    }
  }
}
