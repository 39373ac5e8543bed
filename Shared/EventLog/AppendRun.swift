internal import Models
internal import RedisClient

/// Entries of one shard that go to the server in one call.
struct AppendRun {
  let shard: Int
  /// Where the entries stand in the batch.
  private(set) var indices: [Int] = []
  private var length_bytes = 0

  private init(shard: Int) { self.shard = shard }

  /// The runs of each shard that has any, in order.
  static func split(_ entries: [LogEntry]) -> [[AppendRun]] {
    var shards: [Int: [AppendRun]] = [:]
    for (index, entry) in entries.enumerated() {
      let shard = entry.shard
      let length = entry.length_bytes
      var run = AppendRun(shard: shard)
      if let last = shards[shard]?.last, last.hasRoom(for: length) { run = shards[shard]?.popLast() ?? run }
      run.add(index, length)
      shards[shard, default: []].append(run)
    }
    return Array(shards.values)
  }

  private func hasRoom(for length: Int) -> Bool {
    indices.count < RedisEventLog.runEntryCountMax && length_bytes + length <= RedisEventLog.runLengthMax_bytes
  }

  private mutating func add(_ index: Int, _ length: Int) {
    indices.append(index)
    length_bytes += length
  }

  /// The call as `AppendFunction` wants it.
  func command(_ entries: [LogEntry], writer: String, limits: LogLimits) -> RedisCommand {
    var places: [ApplianceID: Int] = [:]
    var appliances: [ApplianceID] = []
    for index in indices {
      guard case .event(let event) = entries[index].content, places[event.applianceID] == nil else { continue }
      appliances.append(event.applianceID)
      places[event.applianceID] = appliances.count
    }
    var command = RedisCommand("FCALL", AppendFunction.append, 6 + 2 * appliances.count, reservingBytes: length_bytes + 256 * indices.count)
    for key in [
      Bus.events(shard), Bus.epoch(shard), Bus.seen(shard, writer: writer), Bus.seenBefore(shard, writer: writer), Bus.seen(shard),
      Bus.seenBefore(shard),
    ] { command.append(key) }
    for appliance in appliances {
      command.append(Bus.state(appliance))
      command.append(Bus.history(appliance))
    }
    command.append(String(UInt64.random(in: 0 ... .max), radix: 16))
    for limit in [
      limits.window, Int(limits.windowLifetime / .milliseconds(1)), limits.history, Int(limits.historyLifetime / .milliseconds(1)),
      limits.typesPerAppliance, appliances.count,
    ] {
      command.append(limit)
    }
    for appliance in appliances { command.append(Bus.live(appliance)) }
    for index in indices { Self.append(entries[index], places, to: &command) }
    return command
  }

  private static func append(_ entry: LogEntry, _ places: [ApplianceID: Int], to command: inout RedisCommand) {
    let window = (entry.window == .writer ? "w" : "e") + (entry.mayBeDuplicate ? "?" : "")
    switch entry.content {
    case .event(var event):
      event.id = nil
      command.append((event.isTelemetry ? "t" : "d") + window)
      command.append(places[event.applianceID] ?? 0)
      command.append(event.type.rawValue)
      command.append(entry.order.microseconds)
      command.append(entry.fingerprint ?? [])
      command.append(event.encoded())
    case .deadLetter(let letter):
      command.append("x" + window)
      command.append(letter.reason)
      command.append(letter.topic)
      command.append(letter.receivedAt.microseconds)
      command.append(entry.fingerprint ?? [])
      command.append(letter.payload)
    }
  }
}

extension LogEntry {
  fileprivate var length_bytes: Int {
    switch content {
    case .event(let event): event.data.count + event.extras.count + 256
    case .deadLetter(let letter): letter.payload.count + letter.topic.utf8.count + letter.reason.utf8.count + 64
    }
  }
}
