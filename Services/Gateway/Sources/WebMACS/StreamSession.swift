internal import Access
internal import Models
internal import NIOCore
internal import Store
internal import WebSocketTransport

/// One dashboard's connection: carries out what `StreamSessionMachine` decides. Confined to its event loop.
final class StreamSession: WebSocketSession, HubSession {
  var hubSlot = -1
  private let connection: WebSocketConnection
  private let hub: LoopHub
  private let neighbours: Neighbours
  private let audit: ConnectionAudit
  private var machine: StreamSessionMachine
  private var members: [ApplianceID: DatapointMember] = [:]

  init(_ arrival: Arrival) {
    (connection, hub, neighbours) = (arrival.connection, arrival.hub, arrival.neighbours)
    audit = arrival.audit
    machine = StreamSessionMachine(limits: neighbours.limits, now: .now())
    hub.add(self)
    let token = arrival.token
    ask(orElse: .admission(.unavailable)) { .admission(await $0.gate.admit(token)) }
  }

  // MARK: Input

  func received(_ text: [UInt8]) { handle(.frame(text)) }
  func tick() { handle(.tick) }
  func accessChanged(_ change: AccessChange) { handle(.accessChanged(change)) }
  func controllerBecameLive(_ controller: ApplianceID) { handle(.live(controller)) }

  func becameWritable() {
    for member in members.values { member.audience.catchUp(member) }
  }

  func closed(_ code: WebSocketCloseCode) {
    for member in members.values { member.audience.remove(member) }
    members = [:]
    hub.remove(self)
    audit.closed(code)
  }

  private func handle(_ input: StreamSessionMachine.Input) {
    switch input {
    case .admission(let admission): audit.checked(admission, as: .user)
    case .renewal(let admission): audit.renewed(admission)
    default: break
    }
    guard connection.isOpen else { return }
    for action in machine.handle(input, now: .now()) { perform(action) }
  }

  // MARK: Actions

  private func perform(_ action: StreamSessionMachine.Action) {
    switch action {
    case .send(let message): connection.send(text: message.encoded())
    case .look(let principal):
      let limit = neighbours.limits.subscriptionsMax
      ask(orElse: .view(nil)) { .view(await Self.view(of: principal, limit: limit, $0.gate, $0.roles)) }
    case .renew(let token): ask(orElse: .renewal(.unavailable)) { .renewal(await $0.gate.admit(token)) }
    case .join(let controller): join(controller)
    case .leave(let controller):
      audit.unsubscribed(from: controller)
      if let member = members.removeValue(forKey: controller) { member.audience.remove(member) }
    case .close(let end):
      audit.closes(end.reason)
      connection.close(end.code, reason: end.reason)
    }
  }

  private func join(_ controller: ApplianceID) {
    audit.subscribed(to: controller)
    let audience = hub.audience(of: controller, in: .webmacs) { DatapointAudience($0, hub: hub) }
    let member = DatapointMember(audience, connection, self)
    members[controller] = member
    audience.add(member)
    if audience.isLive { handle(.live(controller)) }
  }

  private static func view(of principal: Principal, limit: Int, _ gate: any Gatekeeper, _ roles: RoleTable) async -> StreamSessionMachine
    .View?
  {
    guard let recheck = await gate.recheck(principal, []) else { return nil }
    if let refusal = recheck.refusal { return .init(refusal: refusal) }
    return await gate.appliances(of: .webmacs, visibleTo: principal, limit: limit).map { controllers in
      .init(controllers: controllers.filter { roles.permits($0.permission, event: .datapoints) }.map(\.id))
    }
  }

  private func ask(
    orElse refusal: StreamSessionMachine.Input, _ question: @escaping @Sendable (Neighbours) async -> StreamSessionMachine.Input
  ) {
    neighbours.ask(\.access, on: hub.eventLoop, orElse: refusal, question) { self.handle($0) }
  }
}
