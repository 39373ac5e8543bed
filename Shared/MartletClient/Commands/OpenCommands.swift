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
    /// It is to go by the API now, as nothing was told of it on the connection.
    case unheard
  }

  struct Told: Hashable, Sendable {
    let requestID: String
    let news: News
  }

  /// A stop may have gone in two ways, and has an id of each then: the first word that it was carried out counts, and the last that it was not.
  private struct Command {
    let requestID: String
    let appliance: ApplianceID
    let type: String
    let isStop: Bool
    /// The last connection that it went over.
    var connection: Int?
    var isByAPI: Bool
    /// Whether the API has not answered yet.
    var isAsking: Bool
    /// In how many ways it was sent.
    var ways = 1
    /// Of those, how many came to nothing before they had an id.
    var lost = 0
    /// The ids that the server has told.
    var named: Set<String> = []
    /// Of those, the ones that failed.
    var failed: Set<String> = []
    var step: CommandStep?
    /// Why one way came to nothing, as far as somebody has told.
    var failure: CommandError?

    /// Whether it went over the connection, and nothing was told of it there.
    var isUnheard: Bool { ways - lost - named.count > (isAsking ? 1 : 0) }
    var isOver: Bool { lost + failed.count >= ways }
  }

  /// In the order in which they were sent.
  private var open: [Command] = []

  /// False when too many are open.
  ///
  /// - Parameter connection: which one it goes over; nil for the API.
  mutating func add(_ command: MartletCommand, requestID: String, to appliance: ApplianceID, over connection: Int?) -> Bool {
    guard command.isStop || open.count(where: { !$0.isStop }) < Self.countMax else { return false }
    open.append(
      Command(
        requestID: requestID, appliance: appliance, type: command.type, isStop: command.isStop, connection: connection,
        isByAPI: connection == nil, isAsking: connection == nil))
    return true
  }

  /// It goes over a connection as well; false when it went over that one already.
  mutating func add(_ connection: Int, of requestID: String) -> Bool {
    guard let place = place(of: requestID), open[place].connection != connection else { return false }
    open[place].connection = connection
    open[place].ways += 1
    return true
  }

  mutating func remove(_ requestID: String) { open.removeAll { $0.requestID == requestID } }

  /// Whether it is open, and nothing was told of it on the connection that it went over.
  func isUnheard(_ requestID: String) -> Bool { open.first { $0.requestID == requestID }?.isUnheard ?? false }

  /// Whether it is open, and the server has told no id of it.
  func isUnnamed(_ requestID: String) -> Bool { open.first { $0.requestID == requestID }?.named.isEmpty ?? false }

  /// Whether it is open, and this id of it has not failed.
  func isOpen(_ requestID: String, as id: String) -> Bool {
    open.first { $0.requestID == requestID }.map { !$0.failed.contains(id) } ?? false
  }

  /// Takes an event or an `error` frame, which may be about none of them.
  mutating func take(_ frame: ServerFrame) -> [Told] {
    guard let place = place(of: frame) else { return [] }
    let data = frame.data
    switch frame.type {
    case "command:requested": return data.string("command_id").map { identified(place, $0) } ?? []
    case "command:sent": return step(place, .sent)
    case "command:acknowledged": return acknowledged(place, data)
    case "command:failed", "error": return failed(place, data)
    default: return []
    }
  }

  /// Takes what the API says of a command: `{"command_id","state","code","message"}`.
  mutating func take(_ record: JSONObject, of requestID: String) -> [Told] {
    guard let place = place(of: requestID), let id = record.string("command_id") else { return [] }
    open[place].isAsking = false
    let told = identified(place, id)
    switch record.string("state") {
    case "sent": return told + step(place, .sent)
    case "acknowledged": return told + acknowledged(place, record)
    case "failed": return told + failed(place, record)
    default: return told
    }
  }

  /// The API did not take it, or did not answer. Its events may have told all the same that it was taken.
  mutating func refused(_ requestID: String, _ code: CommandError.Code, _ message: String) -> [Told] {
    guard let place = place(of: requestID) else { return [] }
    open[place].isAsking = false
    return open[place].isUnheard ? lose(place, CommandError(code: code, message: message)) : []
  }

  /// A stop of which nothing was told goes by the API as well.
  mutating func rescue(_ requestID: String) -> [Told] { place(of: requestID).map { rescue($0) } ?? [] }

  /// The connection was lost: nothing will be told of what the server may not have heard. A stop goes by the API, if there is one; the others
  /// are over.
  mutating func connectionLost(hasAPI: Bool) -> [Told] {
    open.indices.reversed().flatMap { place in
      guard open[place].isUnheard else { return [Told]() }
      return (hasAPI ? rescue(place) : []) + lose(place)
    }
  }

  mutating func fail(_ requestID: String, _ code: CommandError.Code, _ message: String) -> [Told] {
    place(of: requestID).map { [fail($0, CommandError(code: code, message: message))] } ?? []
  }

  /// Nothing will be heard any more of what the API does not tell.
  mutating func connectionClosed() -> [Told] {
    open.indices.reversed().compactMap { place in
      if open[place].isByAPI { return nil }
      return fail(place, CommandError(code: .outcomeUnknown, message: "The connection was closed before the outcome was known."))
    }
  }

  private func place(of requestID: String) -> Int? { open.firstIndex { $0.requestID == requestID } }

  private func place(of frame: ServerFrame) -> Int? {
    func first(where matches: (Command) -> Bool) -> Int? { open.firstIndex { $0.appliance == frame.applianceID && matches($0) } }
    if frame.type == "command:requested", let requestID = frame.data.string("request_id") { return first { $0.requestID == requestID } }
    if let id = frame.data.string("command_id"), let known = first(where: { $0.named.contains(id) }) { return known }
    // A refusal names no request. It has no id, as it is in no log: it is about the first that this connection asked for.
    if frame.type == "command:failed", frame.id == nil { return first { $0.isUnheard && $0.type == frame.data.string("type") } }
    guard frame.type == "error" else { return nil }
    switch frame.data.string("code").flatMap(EpicuraRejection.Code.init) {
    case .temporarilyUnavailable, .applianceNotFound: return first(where: \.isUnheard)
    default: return nil
    }
  }

  private mutating func rescue(_ place: Int) -> [Told] {
    guard open[place].isStop, !open[place].isByAPI else { return [] }
    open[place].isByAPI = true
    open[place].isAsking = true
    open[place].ways += 1
    return [Told(requestID: open[place].requestID, news: .unheard)]
  }

  private mutating func identified(_ place: Int, _ id: String) -> [Told] {
    open[place].named.insert(id)
    // A question without an answer may have been heard.
    open[place].ways = max(open[place].ways, open[place].lost + open[place].named.count)
    return step(place, .requested)
  }

  /// What is told late, as by an answer of the API, takes no command back.
  private mutating func step(_ place: Int, _ step: CommandStep) -> [Told] {
    if let before = open[place].step, step <= before { return [] }
    open[place].step = step
    return [Told(requestID: open[place].requestID, news: .step(step))]
  }

  private mutating func acknowledged(_ place: Int, _ data: JSONObject) -> [Told] {
    let steps = step(place, .acknowledged)
    let command = open.remove(at: place)
    let acknowledgement = Acknowledgement(commandID: data.string("command_id") ?? "", message: data.string("message"))
    return steps + [Told(requestID: command.requestID, news: .acknowledged(acknowledgement))]
  }

  private mutating func failed(_ place: Int, _ data: JSONObject) -> [Told] {
    let failure = CommandError(
      code: .init(rawValue: data.string("code") ?? "REJECTED"), message: data.string("message") ?? "The command failed.")
    guard let id = data.string("command_id"), open[place].named.contains(id) else { return lose(place, failure) }
    open[place].failed.insert(id)
    return endIfOver(place, failure)
  }

  /// A way in which it went came to nothing before it had an id.
  private mutating func lose(_ place: Int, _ failure: CommandError? = nil) -> [Told] {
    open[place].lost += 1
    return endIfOver(place, failure)
  }

  private mutating func endIfOver(_ place: Int, _ failure: CommandError?) -> [Told] {
    if let failure { open[place].failure = failure }
    guard open[place].isOver else { return [] }
    let unknown = CommandError(
      code: .outcomeUnknown, message: "The connection was lost before the server told what became of the command.")
    return [fail(place, open[place].failure ?? unknown)]
  }

  private mutating func fail(_ place: Int, _ error: CommandError) -> Told {
    Told(requestID: open.remove(at: place).requestID, news: .failed(error))
  }
}
