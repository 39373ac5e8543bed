internal import Access
internal import Backoff
internal import EventLog
internal import Models
internal import NIOCore
internal import Store
internal import WebSocketTransport

/// One controller's connection: carries out what `ControllerSessionMachine` decides. Confined to its event loop.
final class ControllerSession: WebSocketSession, HubSession {
  var hubSlot = -1
  private let connection: WebSocketConnection
  private let hub: LoopHub
  private let neighbours: Neighbours
  private let devices: Devices
  private let audit: ConnectionAudit
  /// The appliance that it says it is, where it proves itself by a secret: `?appliance_id=`.
  private let name: String?
  private var machine: ControllerSessionMachine

  init(_ arrival: Arrival, devices: Devices) {
    (connection, hub, neighbours, self.devices) = (arrival.connection, arrival.hub, arrival.neighbours, devices)
    audit = arrival.audit
    name = arrival.request.query("appliance_id")
    machine = ControllerSessionMachine(
      credential: arrival.token, acknowledges: arrival.request.query("ack") == "1", limits: neighbours.limits, now: .now())
    hub.add(self)
    for action in machine.begin() { perform(action) }
  }

  // MARK: Input

  func received(_ text: [UInt8]) { handle(.frame(text)) }
  func becameWritable() {}
  func tick() { handle(.tick) }
  func accessChanged(_ change: AccessChange) { handle(.accessChanged(change)) }
  func closed(_ code: WebSocketCloseCode) {
    hub.remove(self)
    audit.closed(code)
  }

  private func handle(_ input: ControllerSessionMachine.Input) {
    switch input {
    case .checked(.entry, let admission): audit.checked(admission, as: .device, name: name)
    case .checked(.renewal, let admission): audit.renewed(admission)
    default: break
    }
    for action in machine.handle(input, now: .now()) { perform(action) }
  }

  // MARK: Actions

  private func perform(_ action: ControllerSessionMachine.Action) {
    switch action {
    case .check(let purpose, let credential):
      let (devices, name) = (devices, name)
      ask(\.access, orElse: .checked(purpose, .unavailable)) { _ in
        .checked(purpose, await devices.admit(name, credential: credential, speaking: .webmacs))
      }
    case .askSettings(let controller):
      let devices = devices
      ask(\.access, orElse: .settings(nil)) { _ in .settings(await devices.settings(of: controller)) }
    case .send(let message): connection.send(text: message.encoded())
    case .append(let events): append(events.map { LogEntry(named: $0, order: $0.timestamp) }, Backoff(longest: .seconds(2)))
    case .count(let accepted, let refused):
      hub.counters.datapointsAccepted += accepted
      hub.counters.datapointsRefused += refused
    case .read(let isReading): if connection.isOpen { connection.isReading = isReading }
    case .close(let end):
      audit.closes(end.reason)
      connection.close(end.code, reason: end.reason)
    }
  }

  private func ask(
    _ jobs: KeyPath<Neighbours.Jobs, JobQueue>, orElse refusal: ControllerSessionMachine.Input,
    _ question: @escaping @Sendable (Neighbours) async -> ControllerSessionMachine.Input
  ) {
    neighbours.ask(jobs, on: hub.eventLoop, orElse: refusal, question) { self.handle($0) }
  }

  // MARK: The log

  /// Tries until the log has it. The controller is held back meanwhile, by TCP. Only what is left when it has gone is given up.
  private func append(_ entries: [LogEntry], _ backoff: Backoff) {
    neighbours.ask(\.appends, on: hub.eventLoop, orElse: false) { neighbours in
      (try? await neighbours.log.append(entries)) != nil
    } take: { isStored in
      if isStored { return self.handle(.appended) }
      self.hub.counters.appendFailures += entries.count
      guard self.connection.isOpen else { return self.handle(.gaveUp) }
      var backoff = backoff
      self.hub.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(backoff.next())) { self.append(entries, backoff) }
    }
  }
}
