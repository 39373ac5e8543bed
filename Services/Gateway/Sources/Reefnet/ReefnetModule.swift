internal import EventLog
internal import Models

/// What a module's connection does once the module is known: its frames go to the log in their order, and commands to the module. Pure.
///
/// Frames go as many at once as have come while the last ones were on their way. The word that a command was sent stands among them in its place, so that a status that the
/// command provoked is behind it in the log (deploy/decisions/0022).
struct ReefnetModule {
  typealias Action = ReefnetSessionMachine.Action

  /// What the log is to be told.
  enum Record: Hashable, Sendable {
    case frame(Event, receivedAt: Timestamp)
    case sent(Command, at: Timestamp)

    fileprivate var isFrame: Bool { if case .frame = self { true } else { false } }
    fileprivate var byteCount: Int { if case .frame(let event, _) = self { event.data.count } else { 0 } }
  }

  /// What may wait for the log, in bytes, before the module is held back. What one read of the socket brought comes on top.
  static let waitingBytesMax = 256 * 1024
  /// How often it is told that the module is still there and on this connection.
  static let presenceInterval = Duration.seconds(5)

  let id: ApplianceID
  /// Whether a frame of it was taken: then one of another module is only dropped.
  private var hasSpoken = false
  private var underWay: [Record] = []
  private var waiting: [Record] = []
  private var waitingBytes = 0
  private var isReading = true
  /// Commands that were given to it, until their deadline: the log may tell of one twice.
  private var given: [String: Timestamp] = [:]
  private var mustReadCommands = false
  private var heardAt: Timestamp
  private var toldAt: Timestamp

  init(_ id: ApplianceID, now: Timestamp) {
    self.id = id
    (heardAt, toldAt) = (now, now)
  }

  func begin() -> [Action] { [.attach(id, heardAt: heardAt), .join(id)] }

  // MARK: Frames

  /// Throws why a frame is not taken: nobody is told, but the log of the service.
  mutating func take(_ frame: [UInt8], now: Timestamp) throws(ReefnetMisstep) -> [Action] {
    let greeting: ReefnetGreeting
    do { greeting = try ReefnetGreeting(parsing: frame) } catch { throw .refused(error) }
    // Whatever it is: a `control` for another module too.
    if let other = greeting.moduleID, other != id.rawValue { throw hasSpoken ? .foreignModule(other) : .wrongModule }
    let event: Event?
    do { event = greeting.isHello ? nil : try ReefnetFrame(parsing: frame).event(receivedAt: now) } catch { throw .refused(error) }
    (hasSpoken, heardAt) = (true, now)
    guard let event else { return [] }
    return [.countFrame] + enqueue(.frame(event, receivedAt: now))
  }

  private mutating func enqueue(_ record: Record) -> [Action] {
    waiting.append(record)
    waitingBytes += record.byteCount
    let actions = startIfIdle()
    guard isReading, waitingBytes > Self.waitingBytesMax else { return actions }
    isReading = false
    return actions + [.read(false)]
  }

  /// A run of frames, or of commands: what is behind a command is looked at when the command is told as sent.
  private mutating func startIfIdle() -> [Action] {
    guard underWay.isEmpty, let first = waiting.first else { return [] }
    underWay = Array(waiting.prefix { $0.isFrame == first.isFrame })
    waiting.removeFirst(underWay.count)
    waitingBytes -= underWay.reduce(0) { $0 + $1.byteCount }
    return [.append(underWay, of: id)]
  }

  /// The log has what was under way, or it was given up.
  mutating func appended() -> [Action] {
    underWay = []
    let actions = startIfIdle()
    guard !isReading, waitingBytes <= Self.waitingBytesMax else { return actions }
    isReading = true
    return actions + [.read(true)]
  }

  // MARK: Commands

  /// What the log tells comes from now on: what was asked before is read.
  mutating func becameLive() -> [Action] {
    mustReadCommands = false
    return [.readCommands(id)]
  }

  /// Gives the module commands that it has not been given. An expired one is not delivered.
  ///
  /// - Parameter commands: nil when the log could not be asked; it is asked again at the next tick.
  mutating func take(_ commands: [Command]?, now: Timestamp) -> [Action] {
    guard let commands else {
      mustReadCommands = true
      return []
    }
    return commands.sorted { ($0.expiresAt, $0.id) < ($1.expiresAt, $1.id) }.flatMap { command -> [Action] in
      guard now < command.expiresAt, given[command.id] == nil, let frame = ReefnetCommand.frame(of: command) else { return [] }
      given[command.id] = command.expiresAt
      return [.send(frame)] + enqueue(.sent(command, at: now))
    }
  }

  // MARK: Time

  mutating func tick(now: Timestamp) -> [Action] {
    given = given.filter { now < $0.value }
    var actions = mustReadCommands ? becameLive() : []
    if now - toldAt >= Self.presenceInterval {
      toldAt = now
      actions.append(.keepAttached(id, heardAt: heardAt))
    }
    return actions
  }
}
