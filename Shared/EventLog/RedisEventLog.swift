package import Logging
package import Models
package import NIOCore
package import RedisClient
internal import ServiceLifecycle
internal import Synchronization

/// The log on Redis 7: streams, with `AppendFunction` on the server's side.
///
/// A service of its own: nothing is answered before `run()`. A shard that is read with a wait gets a connection for itself, because a waiting
/// command holds up all that are behind it. On a cluster appends have one too, because they wait for a replica; and what no replica has is not told to a reader, for
/// after a failover it may come again under another id.
package final class RedisEventLog: EventLog, Service {
  /// Of one call of the server-side function, so that nobody waits long behind it.
  static let runEntryCountMax = 64
  static let runLengthMax_bytes = 1 << 20

  private let configuration: RedisConfiguration
  private let eventLoopGroup: any EventLoopGroup
  private let logger: Logger
  private let writer: String
  private let isContended: Bool
  private let limits: LogLimits
  private let client: RedisClient
  private let appender: RedisClient
  private let readers = Mutex<[Int: RedisClient]>([:])
  private let newReaders: AsyncStream<RedisClient>
  private let startReader: AsyncStream<RedisClient>.Continuation
  /// By shard, the generation of this writer's calls: claimed on the server before the first, and anew after one that failed, because the server may come to that one later.
  private let generations = Mutex<[Int: Int]>([:])

  /// - Parameters:
  ///   - writer: names who appends, across restarts: its redeliveries are known by it, and a call that it gave up is fenced off by its next one.
  ///   - isContended: whether several processes have the writer's name, one after the other. Nothing is appended then before `claim`, nor after an append that failed.
  package init(
    configuration: RedisConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger, writer: String = "", isContended: Bool = false,
    limits: LogLimits = LogLimits()
  ) {
    self.configuration = configuration
    self.eventLoopGroup = eventLoopGroup
    self.logger = logger
    self.writer = writer
    self.isContended = isContended
    self.limits = limits
    client = RedisClient(configuration: configuration, eventLoopGroup: eventLoopGroup, logger: logger)
    appender =
      configuration.isCluster ? RedisClient(configuration: configuration, eventLoopGroup: eventLoopGroup, logger: logger) : client
    // One reader a shard at most, so the stream is bounded by that.
    (newReaders, startReader) = AsyncStream.makeStream(of: RedisClient.self, bufferingPolicy: .bufferingOldest(Bus.shardCount))
  }

  package func run() async throws {
    try await withThrowingDiscardingTaskGroup { group in
      group.addTask { try await self.client.run() }
      if appender !== client { group.addTask { try await self.appender.run() } }
      for await reader in newReaders.cancelOnGracefulShutdown() {
        group.addTask { try await reader.run() }
      }
    }
  }

  private func reader(of shard: Int) -> RedisClient {
    readers.withLock { readers in
      if let known = readers[shard] { return known }
      let reader = RedisClient(configuration: configuration, eventLoopGroup: eventLoopGroup, logger: logger)
      readers[shard] = reader
      startReader.yield(reader)
      return reader
    }
  }

  // MARK: Append

  package func append(_ entries: [LogEntry]) async throws -> [AppendOutcome] {
    var outcomes = [AppendOutcome?](repeating: nil, count: entries.count)
    var waiting = AppendRun.split(entries)
    // A shard's next run is sent only after the one before it is in, so that none overtakes another that was refused.
    while !waiting.isEmpty {
      let round = waiting.compactMap(\.first)
      for (run, reply) in zip(round, try await send(round, of: entries)) {
        for (index, outcome) in zip(run.indices, try Self.outcomes(reply, count: run.indices.count)) { outcomes[index] = outcome }
      }
      waiting = waiting.map { Array($0.dropFirst()) }.filter { !$0.isEmpty }
    }
    return outcomes.compactMap { $0 }
  }

  private func send(_ runs: [AppendRun], of entries: [LogEntry]) async throws -> [RESPValue] {
    do {
      var replies = try await call(runs, of: entries)
      let missing = replies.indices.filter { Self.isFunctionMissing(replies[$0]) }
      if !missing.isEmpty {
        try await appender.loadFunctions(AppendFunction.source)
        logger.info("loaded the function library on Redis", metadata: ["library": "\(AppendFunction.append)"])
      }
      let fenced = replies.indices.filter { Self.isFenced(replies[$0]) }
      if isContended, let first = fenced.first { _ = try replies[first].get() }
      giveUpGenerations(of: fenced.map { runs[$0] })
      // Neither has had any effect.
      let undone = missing + fenced
      for (index, reply) in zip(undone, try await call(undone.map { runs[$0] }, of: entries)) { replies[index] = reply }
      return try replies.map { try $0.get() }
    } catch {
      giveUpGenerations(of: runs)
      throw error
    }
  }

  private func call(_ runs: [AppendRun], of entries: [LogEntry]) async throws -> [Result<RESPValue, RedisError>] {
    let generations = try await generations(of: runs.map(\.shard))
    return try await appender.pipeline(
      runs.map { $0.command(entries, writer: writer, generation: generations[$0.shard], limits: limits) }, isReplicated: true)
  }

  // MARK: Generations

  /// Makes this process the one that has the writer's name: no earlier call under it, of whichever process, takes effect any more. Throws `RedisError`.
  package func claim() async throws {
    // What it had before may be of a Redis that has been lost since, and be higher.
    generations.withLock { $0 = [:] }
    _ = try await claim(Array(0..<Bus.shardCount))
  }

  private func generations(of shards: [Int]) async throws -> [Int: Int] {
    guard !writer.isEmpty else { return [:] }
    let known = generations.withLock { $0 }
    let unclaimed = shards.filter { known[$0] == nil }
    guard !unclaimed.isEmpty else { return known }
    guard !isContended else { throw RedisError(.server("FENCED"), "The writer '\(writer)' has to be claimed before it appends") }
    return try await claim(unclaimed)
  }

  private func claim(_ shards: [Int]) async throws -> [Int: Int] {
    let claims = shards.flatMap { shard in
      let fence = Bus.fence(shard, writer: writer)
      return [RedisCommand("INCR", fence), RedisCommand("PEXPIRE", fence, Int(limits.windowLifetime / .milliseconds(1)))]
    }
    let replies = try await appender.pipeline(claims)
    var claimed: [Int: Int] = [:]
    for (index, shard) in shards.enumerated() {
      guard let generation = try replies[2 * index].get().integer else { throw Self.unexpected("INCR") }
      claimed[shard] = Int(generation)
    }
    return generations.withLock { generations in
      generations.merge(claimed) { max($0, $1) }
      return generations
    }
  }

  private func giveUpGenerations(of runs: [AppendRun]) {
    generations.withLock { for run in runs { $0[run.shard] = nil } }
  }

  private static func isFenced(_ reply: Result<RESPValue, RedisError>) -> Bool {
    if case .failure(let error) = reply { error.code == .server("FENCED") } else { false }
  }

  private static func isFunctionMissing(_ reply: Result<RESPValue, RedisError>) -> Bool {
    if case .failure(let error) = reply { error.code == .server("ERR") && error.message.contains("Function not found") } else { false }
  }

  private static func outcomes(_ reply: RESPValue, count: Int) throws(RedisError) -> [AppendOutcome] {
    guard let texts = reply.array?.map(\.text), texts.count == count else { throw unexpected("an append") }
    var outcomes: [AppendOutcome] = []
    for text in texts {
      guard let text else { throw unexpected("an append") }
      let parts = text.split(separator: " ")
      if let id = parts.first.flatMap({ EventID(String($0)) }) {
        outcomes.append(.appended(id, isLate: parts.count > 1))
      } else if text.isEmpty {
        outcomes.append(.duplicate)
      } else if text == "-" {
        outcomes.append(.refused)
      } else {
        throw unexpected("an append")
      }
    }
    return outcomes
  }

  static func unexpected(_ what: String) -> RedisError {
    RedisError(.protocolViolation, "Redis answered \(what) with something else than was asked for")
  }

  // MARK: Read

  package func read(shard: Int, after: EventID, limit: Int, wait: Duration) async throws -> LogPage {
    do {
      return try await readPage(shard, after, limit, wait)
    } catch let error as RedisError where error.code == .protocolViolation && limit > 1 {
      // Large events make a page too large for one reply: a smaller one gets through.
      return try await read(shard: shard, after: after, limit: max(1, limit / 8), wait: wait)
    }
  }

  private func readPage(_ shard: Int, _ after: EventID, _ limit: Int, _ wait: Duration) async throws -> LogPage {
    let stream = Bus.events(shard)
    var read = RedisCommand("XREAD", "COUNT", limit)
    if wait > .zero {
      read.append("BLOCK")
      read.append(max(1, Int(wait / .milliseconds(1))))
    }
    for argument in ["STREAMS", stream, after.description] { read.append(argument) }
    // The epoch is asked before and after, so that a log that was lost in between is not taken for the one before.
    let epoch = RedisCommand("GET", Bus.epoch(shard))
    let replies = try await (wait > .zero ? reader(of: shard) : client).pipeline(
      [epoch, RedisCommand("TIME"), read, RedisCommand("XINFO", "STREAM", stream), epoch], timeout: wait + configuration.callTimeout,
      isReplicated: true)
    let (before, now) = (try replies[0].get().text ?? "", try replies[4].get().text ?? "")
    let records = try before == now ? LogReply.records(replies[2].get(), stream: stream) : []
    return LogPage(records: records, epoch: now, lastID: try LogReply.lastID(replies[3]), time: try LogReply.time(replies[1].get()))
  }

  package func trim(shard: Int, through last: EventID) async throws {
    let next = EventID(milliseconds: last.milliseconds, sequence: last.sequence + 1)
    _ = try await client.send(RedisCommand("XTRIM", Bus.events(shard), "MINID", "=", next.description))
  }

  package func state(of appliance: ApplianceID) async throws -> [Event] {
    let fields = try await client.send(RedisCommand("HGETALL", Bus.state(appliance))).array ?? []
    let messages = stride(from: 0, to: fields.count - 1, by: 2).compactMap { index in
      fields[index].bytes?.starts(with: "m:".utf8) == true ? fields[index + 1].bytes : nil
    }
    return messages.compactMap { try? Event(parsing: $0) }.sorted { ($0.id ?? .zero) < ($1.id ?? .zero) }
  }

  package func history(of appliance: ApplianceID, after: EventID) async throws -> EventHistory {
    let key = Bus.history(appliance)
    // What is missing is asked first: what is trimmed meanwhile makes the answer incomplete, never falsely complete.
    let replies = try await client.pipeline([
      RedisCommand("XRANGE", key, "(\(after)", "+"), RedisCommand("XLEN", key), RedisCommand("XRANGE", key, "-", "+", "COUNT", 1),
      RedisCommand("GET", Bus.epoch(Bus.shard(of: appliance))), RedisCommand("XINFO", "STREAM", Bus.events(Bus.shard(of: appliance))),
    ])
    let oldest = try LogReply.entries(replies[2].get()).first?.id ?? .zero
    let wasNeverTrimmed = try replies[1].get().integer ?? 0 < limits.history
    let begun = try UInt64((replies[3].get().text ?? "").prefix { $0 != ":" }) ?? .max
    let isYoung = after.receivedAt + limits.historyLifetime > .now()
    // An event that this life of the log has not given yet is of one that was lost.
    let isKnown = try LogReply.lastID(replies[4]) >= after
    return EventHistory(
      events: try LogReply.entries(replies[0].get()).compactMap(LogReply.event),
      isComplete: (wasNeverTrimmed || oldest <= after) && after.milliseconds >= begun && isYoung && isKnown)
  }

  // MARK: Commands

  package func openCommand(_ id: String, of appliance: ApplianceID) async throws -> OpenCommand? {
    let standing = try await client.send(RedisCommand("HGET", Bus.open(appliance), id)).text
    return standing.flatMap { OpenCommand(id: id, of: appliance, standing: $0) }
  }

  package func openCommands(of appliance: ApplianceID) async throws -> [OpenCommand] {
    let fields = try await client.send(RedisCommand("HGETALL", Bus.open(appliance))).array?.map { $0.text ?? "" } ?? []
    return stride(from: 0, to: fields.count - 1, by: 2).compactMap {
      OpenCommand(id: fields[$0], of: appliance, standing: fields[$0 + 1])
    }
  }

  package func overdueCommands(shard: Int, now: Timestamp, limit: Int) async throws -> [OpenCommand] {
    let overdue = try await client.send(
      RedisCommand("ZRANGEBYSCORE", Bus.deadlines(shard), "-inf", now.microseconds, "LIMIT", 0, limit))
    let prefix = Bus.openPrefix(shard)
    let names = (overdue.array ?? []).compactMap { member -> (ApplianceID, String)? in
      guard let parts = member.text?.dropFirst(prefix.count).split(separator: " ", maxSplits: 1), parts.count == 2,
        let appliance = try? ApplianceID(String(parts[0]))
      else { return nil }
      return (appliance, String(parts[1]))
    }
    let standings = try await client.pipeline(names.map { RedisCommand("HGET", Bus.open($0), $1) })
    return try zip(names, standings).compactMap { name, standing in
      try standing.get().text.flatMap { OpenCommand(id: name.1, of: name.0, standing: $0) }
    }
  }

  package func usage() async throws -> LogUsage {
    let usages = try await client.broadcast(RedisCommand("INFO", "memory")).map { try Self.usage($0.get()) }
    guard let fullest = usages.max(by: { $0.share < $1.share }) else { throw Self.unexpected("INFO memory") }
    return fullest
  }

  private static func usage(_ reply: RESPValue) throws(RedisError) -> LogUsage {
    let lines = reply.text?.split(whereSeparator: \.isNewline) ?? []
    func number(_ name: String) -> Int? { lines.first { $0.hasPrefix("\(name):") }.flatMap { Int($0.dropFirst(name.count + 1)) } }
    guard let used = number("used_memory") else { throw unexpected("INFO memory") }
    return LogUsage(used_bytes: used, limit_bytes: number("maxmemory").flatMap { $0 > 0 ? $0 : nil })
  }

  package func publish(_ message: [UInt8], to channel: String) async throws {
    _ = try await client.send(RedisCommand("PUBLISH", channel, message))
  }
}

extension LogUsage {
  /// How much of its memory a server uses, by which the fullest is found; without a bound nothing of it.
  fileprivate var share: Double { limit_bytes.map { Double(used_bytes) / Double($0) } ?? 0 }
}
