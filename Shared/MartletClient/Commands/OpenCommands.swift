internal import Models

/// Commands that have no outcome yet, and what their senders are to be told. A pure value.
struct OpenCommands: Sendable {
  /// So many, besides stops, which are never refused here and each of which is settled within its deadline.
  static let countMax = 256

  /// What the sender of a command is told.
  enum News: Hashable, Sendable {
    case step(CommandStep)
    case acknowledged(Acknowledgement)
    case failed(CommandError)
    /// The connection was lost before the server told that it took it.
    case unheard
  }

  struct Told: Hashable, Sendable {
    let requestID: String
    let news: News
  }

  private struct Command {
    let requestID: String
    let appliance: ApplianceID
    let type: String
    let isStop: Bool
    var isByAPI: Bool
    var id: String?
    var step: CommandStep?
  }

  /// In the order in which they were sent.
  private var open: [Command] = []

  /// False when too many are open.
  mutating func add(_ command: MartletCommand, requestID: String, to appliance: ApplianceID, isByAPI: Bool) -> Bool {
    guard command.isStop || open.count(where: { !$0.isStop }) < Self.countMax else { return false }
    open.append(Command(requestID: requestID, appliance: appliance, type: command.type, isStop: command.isStop, isByAPI: isByAPI))
    return true
  }

  mutating func remove(_ requestID: String) { open.removeAll { $0.requestID == requestID } }

  func isOpen(_ requestID: String) -> Bool { open.contains { $0.requestID == requestID } }

  /// Takes an event or an `error` frame, which may be about none of them.
  mutating func take(_ frame: ServerFrame) -> [Told] {
    guard let place = place(of: frame) else { return [] }
    let data = frame.data
    switch frame.type {
    case "command:requested": return data.string("command_id").map { identified(open[place].requestID, $0) } ?? []
    case "command:sent": return step(place, .sent)
    case "command:acknowledged": return acknowledged(place, data.string("message"))
    case "command:failed", "error": return [fail(place, data.string("code"), data.string("message"))]
    default: return []
    }
  }

  /// Takes what the API says of a command: `{"command_id","state","code","message"}`.
  mutating func take(_ record: JSONObject, of requestID: String) -> [Told] {
    guard let place = open.firstIndex(where: { $0.requestID == requestID }) else { return [] }
    switch record.string("state") {
    case "sent": return step(place, .sent)
    case "acknowledged": return acknowledged(place, record.string("message"))
    case "failed": return [fail(place, record.string("code"), record.string("message"))]
    default: return []
    }
  }

  /// The server has taken it and named it.
  mutating func identified(_ requestID: String, _ id: String) -> [Told] {
    guard let place = open.firstIndex(where: { $0.requestID == requestID }) else { return [] }
    open[place].id = id
    return step(place, .requested)
  }

  /// The connection was lost: nothing will be told of what the server may not have heard. A `cooking:stop` is sent again by the API, if
  /// there is one; the others are over.
  mutating func connectionLost(hasAPI: Bool) -> [Told] {
    open.indices.reversed().compactMap { place in
      let command = open[place]
      guard command.id == nil, !command.isByAPI else { return nil }
      guard command.isStop, hasAPI else {
        return fail(place, .outcomeUnknown, "The connection was lost before the server told what became of the command.")
      }
      open[place].isByAPI = true
      return Told(requestID: command.requestID, news: .unheard)
    }
  }

  mutating func fail(_ requestID: String, _ code: CommandError.Code, _ message: String) -> [Told] {
    open.firstIndex { $0.requestID == requestID }.map { [fail($0, code, message)] } ?? []
  }

  /// Nothing will be heard any more of what the API does not tell.
  mutating func connectionClosed() -> [Told] {
    open.indices.reversed().compactMap { place in
      if open[place].isByAPI { return nil }
      return fail(place, .outcomeUnknown, "The connection was closed before the outcome was known.")
    }
  }

  private func place(of frame: ServerFrame) -> Int? {
    func first(where matches: (Command) -> Bool) -> Int? { open.firstIndex { $0.appliance == frame.applianceID && matches($0) } }
    if frame.type == "command:requested", let requestID = frame.data.string("request_id") { return first { $0.requestID == requestID } }
    if let id = frame.data.string("command_id"), let known = first(where: { $0.id == id }) { return known }
    // A refusal names no request. It has no id, as it is in no log: it is about the first that this connection asked for.
    if frame.type == "command:failed", frame.id == nil { return first { $0.id == nil && $0.type == frame.data.string("type") } }
    let isAway = frame.type == "error" && frame.data.string("code") == EpicuraRejection.Code.temporarilyUnavailable.rawValue
    return isAway ? first { $0.id == nil } : nil
  }

  /// What is told late, as by an answer of the API, takes no command back.
  private mutating func step(_ place: Int, _ step: CommandStep) -> [Told] {
    if let before = open[place].step, step <= before { return [] }
    open[place].step = step
    return [Told(requestID: open[place].requestID, news: .step(step))]
  }

  private mutating func acknowledged(_ place: Int, _ message: String?) -> [Told] {
    let steps = step(place, .acknowledged)
    let command = open.remove(at: place)
    let acknowledgement = Acknowledgement(commandID: command.id ?? "", message: message)
    return steps + [Told(requestID: command.requestID, news: .acknowledged(acknowledgement))]
  }

  private mutating func fail(_ place: Int, _ code: String?, _ message: String?) -> Told {
    fail(place, CommandError.Code(rawValue: code ?? "REJECTED"), message ?? "The command failed.")
  }

  private mutating func fail(_ place: Int, _ code: CommandError.Code, _ message: String) -> Told {
    Told(requestID: open.remove(at: place).requestID, news: .failed(CommandError(code: code, message: message)))
  }
}
