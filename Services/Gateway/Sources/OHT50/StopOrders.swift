internal import Commands
internal import Models

/// What one console is told of the stops that it has ordered, each for one robot or for several (SPEC, section 4): first whom a stop went to, and then what becomes of it at each robot. Pure.
struct StopOrders {
  /// Why a stop does not go to a robot.
  struct Refusal: Hashable {
    /// A `CommandFailure.Code`, or `unavailableCode`.
    let code: String
    let message: String

    static let unavailableCode = "TEMPORARILY_UNAVAILABLE"
    static let notPermitted = Refusal(code: CommandFailure.Code.notPermitted.rawValue, message: "There is no robot here that you may stop")
    static let notAsked = Refusal(
      code: unavailableCode, message: "The stop was not sent, because a database did not answer; send it again")
    static let unknown = Refusal(
      code: unavailableCode, message: "The event log did not answer in time, so whether the stop is sent is unknown; look at the robot")
    static let tooMany = Refusal(
      code: CommandFailure.Code.tooManyCommands.rawValue, message: "Too many stops of this connection wait for their outcome")

    init(code: String, message: String) { (self.code, self.message) = (code, message) }
    init(_ failure: CommandFailure) { self.init(code: failure.code.rawValue, message: failure.message) }

    /// To a stop that goes to no robot.
    func ack(to requestID: String?, _ targets: [OHT50CommandAck.Target] = []) -> OHT50CommandAck {
      OHT50CommandAck(.failed, .emergencyStop, requestID: requestID, targets: targets, code: code, message: message)
    }

    var isNotPermitted: Bool { code == CommandFailure.Code.notPermitted.rawValue }
  }

  /// What the console is to be told.
  struct Word: Equatable {
    var acks: [OHT50CommandAck] = []
    /// Nobody may be stopped by this console: it is told in the document's own way, too.
    var refusal: Refusal?
  }

  private struct Order {
    let requestID: String?
    /// Commands of which it is not known yet whether they go.
    var unanswered: Set<String>
    /// Commands without an outcome.
    var open: Set<String>
    var targets: [OHT50CommandAck.Target] = []
    var refusals: [(target: OHT50CommandAck.Target, why: Refusal)] = []
    /// What is to be said behind the answer.
    var held: [OHT50CommandAck] = []
  }

  private var orders: [Int: Order] = [:]
  private var orderOf: [String: Int] = [:]
  private var last = 0

  /// An order of these commands, one for each robot.
  mutating func begin(_ commands: [String], requestID: String?) -> Word {
    last += 1
    let ids = Set(commands)
    orders[last] = Order(requestID: requestID, unanswered: ids, open: ids)
    for id in ids { orderOf[id] = last }
    return ids.isEmpty ? answer(last) : Word()
  }

  /// The command is in the log.
  mutating func accepted(_ id: String, _ robot: ApplianceID) -> Word {
    guard let order = orderOf[id], orders[order]?.unanswered.remove(id) != nil else { return Word() }
    orders[order]?.targets.append(.init(robot, id))
    return answer(order)
  }

  /// The command does not go.
  mutating func refused(_ id: String, _ robot: ApplianceID, _ why: Refusal) -> Word {
    guard let order = orderOf[id], orders[order]?.unanswered.remove(id) != nil else { return Word() }
    orders[order]?.refusals.append((.init(robot, id), why))
    orders[order]?.open.remove(id)
    return answer(order)
  }

  /// An event of the command's life.
  mutating func went(_ id: String, _ event: Event) -> Word {
    guard let number = orderOf[id], let order = orders[number], let ack = OHT50CommandAck(event, requestID: order.requestID) else {
      return Word()
    }
    if ack.status != .sent { orders[number]?.open.remove(id) }
    if !order.unanswered.isEmpty {
      orders[number]?.held.append(ack)
      return Word()
    }
    forgetIfOver(number)
    return Word(acks: [ack])
  }

  /// The answer, once it is known where the stop goes. Robots that this console may not stop are left out, unless there is no other.
  private mutating func answer(_ number: Int) -> Word {
    guard let order = orders[number], order.unanswered.isEmpty else { return Word() }
    defer { forgetIfOver(number) }
    let failures = order.refusals.filter { !$0.why.isNotPermitted }.map { $0.why.ack(to: order.requestID, [$0.target]) }
    guard order.targets.isEmpty else {
      let targets = order.targets.sorted { $0.applianceID < $1.applianceID }
      return Word(acks: [OHT50CommandAck(.requested, .emergencyStop, requestID: order.requestID, targets: targets)] + failures + order.held)
    }
    guard failures.isEmpty else { return Word(acks: failures) }
    let why = order.refusals.first?.why ?? .notPermitted
    return Word(acks: [why.ack(to: order.requestID, order.refusals.map(\.target))], refusal: why)
  }

  private mutating func forgetIfOver(_ number: Int) {
    guard let order = orders[number], order.unanswered.isEmpty, order.open.isEmpty else { return }
    orders[number] = nil
    for (id, _) in orderOf.filter({ $0.value == number }) { orderOf[id] = nil }
  }
}
