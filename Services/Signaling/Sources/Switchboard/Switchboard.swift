internal import Models
internal import RedisClient
internal import Store

/// The live state of all devices and sessions on Redis, which every replica shares.
///
/// Nothing of a session is in any replica's memory: whoever hears an input reads the session, decides, and writes it back under the version
/// that it read. Frames for an end wait in a list until the connection that holds the end takes them; a ring on its replica's channel says so.
struct Switchboard: Sendable {
  struct Limits: Sendable {
    /// How long a device counts as connected that nobody refreshes; a replica does every `refreshPeriod`.
    var deviceLife = Duration.seconds(75)
    var refreshPeriod = Duration.seconds(25)
    /// How long frames wait for an end that is away, longer than its grace; for a viewer, those of a session that is over.
    var mailLife = Duration.seconds(30)
    /// Frames that may wait for one end; past it the session ends.
    var mailCountMax = 2048
    /// Frames taken at once.
    var takeCountMax = 32
    /// How long a session's keys may stay, should everybody die: longer than a session may last.
    var watchLife = Duration.seconds(5 * 3600)
    var watchesPerDevice = 10
    /// Records that wait for PostgreSQL, for each shard; past it the oldest are dropped.
    var recordCountMax = 100_000
    /// Without a sign of life for so long, a replica is dead.
    var lease = Duration.seconds(4)
    var caretakerLease = Duration.seconds(3)
  }

  let redis: RedisClient
  let limits: Limits

  // MARK: Devices

  enum Attachment: Equatable, Sendable {
    case attached(generation: Int64, sessions: [WatchID])
    /// A newer connection of the device is there.
    case superseded
  }

  /// - Parameter expecting: the generation that the device had here before; nil for its hello.
  func attach(_ device: ApplianceID, replica: String, connection: UInt64, expecting generation: Int64? = nil) async throws -> Attachment {
    let reply = try await call(
      .attach, [Bus.signalDevice(device), Bus.signalWatches(device)],
      [replica, String(connection), generation.map { String($0) } ?? "", limits.deviceLife.inMilliseconds])
    let texts = try Self.texts(reply)
    guard texts.first != "superseded" else { return .superseded }
    guard let generation = texts.first.flatMap({ Int64($0) }) else { throw Self.unexpected }
    return .attached(generation: generation, sessions: texts.dropFirst().compactMap { WatchID($0) })
  }

  /// The sessions that the device had.
  func detach(_ device: ApplianceID, generation: Int64) async throws -> [WatchID] {
    let reply = try await call(.detach, [Bus.signalDevice(device), Bus.signalWatches(device)], [String(generation)])
    return try Self.texts(reply).compactMap { WatchID($0) }
  }

  /// Where the device is connected, nil when it is not.
  func seat(of device: ApplianceID) async throws -> WatchSession.Seat? {
    let reply = try await redis.send(RedisCommand("HMGET", Bus.signalDevice(device), "replica", "connection", "generation"))
    guard let texts = reply.array?.map(\.text), texts.count == 3 else { throw Self.unexpected }
    guard let replica = texts[0], let connection = texts[1].flatMap({ UInt64($0) }), let generation = texts[2].flatMap({ Int64($0) }) else {
      return nil
    }
    return WatchSession.Seat(replica: replica, connection: connection, generation: generation)
  }

  /// Keeps what a device says of itself, for a day.
  func keepPresence(_ data: [UInt8], of device: ApplianceID, at now: Timestamp) async throws {
    let key = Bus.signalPresence(device)
    let replies = try await redis.pipeline([
      RedisCommand("HSET", key, "data", data, "at", now.microseconds), RedisCommand("PEXPIRE", key, 86_400_000),
    ])
    for reply in replies { _ = try reply.get() }
  }

  // MARK: Mail

  enum Mail: Equatable, Sendable {
    /// With the number of the first, which the others follow.
    case frames([[UInt8]], from: Int64, hasMore: Bool)
    /// The session is over; the frame that says so to its viewer, if it is still there.
    case gone([UInt8]?)
    /// The device is not known to be connected any more.
    case absent
    case superseded
  }

  /// What the connection of this generation is to send next. Frames stay for the device's next connection until `delivery` says that the device has them.
  ///
  /// - Parameter most: frames at once; with 0 what the device has is dropped, and nothing is taken.
  func takeMail(of device: ApplianceID, generation: Int64, _ delivery: Delivery, most: Int) async throws -> Mail {
    try Self.mail(
      await call(
        .mail, [Bus.signalDevice(device), Bus.signalMail(device)],
        [String(generation), limits.deviceLife.inMilliseconds, limits.mailLife.inMilliseconds, String(most)] + Self.numbers(delivery)))
  }

  /// The same for a session's viewer.
  func takeLetters(of watch: WatchID, for viewer: WatchSession.Seat, _ delivery: Delivery, most: Int) async throws -> Mail {
    try Self.mail(
      await call(
        .letters, [Bus.signalWatch(watch), Bus.signalLetters(watch)],
        [Self.text(viewer), String(most)] + Self.numbers(delivery)))
  }

  private static func numbers(_ delivery: Delivery) -> [String] { [delivery.had, delivery.next].map { $0.map(String.init) ?? "" } }

  private static func mail(_ reply: RESPValue) throws -> Mail {
    guard let parts = reply.array, let word = parts.first?.text else { throw unexpected }
    switch word {
    case "all", "more":
      guard parts.count > 1, let number = parts[1].text.flatMap({ Int64($0) }) else { throw unexpected }
      return .frames(parts.dropFirst(2).compactMap(\.bytes), from: number, hasMore: word == "more")
    case "gone": return .gone(parts.dropFirst().first?.bytes)
    case "absent": return .absent
    case "superseded": return .superseded
    default: throw unexpected
    }
  }

  // MARK: Sessions

  enum Beginning: String, Sendable { case ok, moved, busy }

  func begin(_ session: WatchSession, deadline: Timestamp, frame: [UInt8], record: WatchRecord) async throws -> Beginning {
    var command = functionCall(
      .begin,
      [
        Bus.signalDevice(session.device), Bus.signalWatches(session.device), Bus.signalWatch(session.id),
        Bus.signalDeadlines(session.id.shard), Bus.signalMail(session.device), Bus.signalRecords(session.id.shard),
      ])
    command.append(session.id.text)
    command.append(Self.text(session.viewerEnd.seat))
    command.append(session.encoded())
    command.append(deadline.microseconds)
    command.append(limits.watchLife.inMilliseconds)
    command.append(limits.watchesPerDevice)
    command.append(frame)
    command.append(limits.mailLife.inMilliseconds)
    command.append(record.encoded())
    command.append(limits.recordCountMax)
    command.append(session.deviceEnd.seat.generation)
    guard let answer = try await send(command).text.flatMap(Beginning.init) else { throw Self.unexpected }
    return answer
  }

  struct Reading: Sendable {
    var session: WatchSession
    let version: String
  }

  /// Nil for a session that is over, or never was.
  func read(_ id: WatchID) async throws -> Reading? {
    let reply = try await redis.send(RedisCommand("HMGET", Bus.signalWatch(id), "version", "state"))
    guard let parts = reply.array, parts.count == 2 else { throw Self.unexpected }
    guard let version = parts[0].text, let state = parts[1].bytes, let session = WatchSession(id: id, parsing: state) else { return nil }
    return Reading(session: session, version: version)
  }

  /// What follows of an input.
  struct Change: Sendable {
    /// Nil when the session is over.
    var deadline: Timestamp?
    var record: WatchRecord?
    var forgetsMail = false
    var toDevice: [[UInt8]] = []
    var toViewer: [[UInt8]] = []
  }

  enum Commitment: String, Sendable { case ok, conflict, full }

  func commit(_ reading: Reading, _ change: Change) async throws -> Commitment {
    let session = reading.session
    var command = functionCall(
      .commit,
      [
        Bus.signalDevice(session.device), Bus.signalWatches(session.device), Bus.signalWatch(session.id),
        Bus.signalDeadlines(session.id.shard), Bus.signalMail(session.device), Bus.signalLetters(session.id),
        Bus.signalRecords(session.id.shard),
      ])
    command.append(session.id.text)
    command.append(reading.version)
    command.append(change.deadline == nil ? [] : session.encoded())
    command.append(Self.text(session.viewerEnd.seat))
    command.append(change.deadline?.microseconds ?? 0)
    command.append(limits.watchLife.inMilliseconds)
    command.append(change.forgetsMail ? "f" : "")
    command.append(limits.mailLife.inMilliseconds)
    command.append(limits.mailCountMax)
    command.append(change.record?.encoded() ?? [])
    command.append(limits.recordCountMax)
    command.append(change.toDevice.count)
    for frame in change.toDevice + change.toViewer { command.append(frame) }
    guard let answer = try await send(command).text.flatMap(Commitment.init) else { throw Self.unexpected }
    return answer
  }

  /// Sessions of all shards whose time has come; nobody else is given them for a second.
  func due(limit: Int) async throws -> [WatchID] {
    let commands = (0..<Bus.shardCount).map { shard in
      var command = functionCall(.due, [Bus.signalDeadlines(shard)])
      command.append(limit)
      command.append(1000)
      return command
    }
    return try await pipeline(commands).flatMap { try Self.texts($0).compactMap { WatchID($0) } }
  }

  /// A session's deadline that has no session.
  func forgetDeadline(_ id: WatchID) async throws {
    _ = try await redis.send(RedisCommand("ZREM", Bus.signalDeadlines(id.shard), id.text))
  }

  static func text(_ seat: WatchSession.Seat) -> String { "\(seat.replica) \(seat.connection)" }

  static let unexpected = RedisError(.protocolViolation, "Redis answered the switchboard with something else than was asked for")

  static func texts(_ reply: RESPValue) throws -> [String] {
    guard let parts = reply.array else { throw unexpected }
    return parts.compactMap(\.text)
  }
}

extension Duration {
  /// Whole milliseconds, as Redis takes them.
  var inMilliseconds: String { String(Int64(self / .milliseconds(1))) }
}
