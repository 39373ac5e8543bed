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

  /// The call as `AppendFunction` wants it. `generation` is nil for a writer without a name.
  func command(_ entries: [LogEntry], writer: String, generation: Int?, limits: LogLimits) -> RedisCommand {
    let cast = Cast(indices.lazy.map { entries[$0] })
    var command = RedisCommand(
      "FCALL", AppendFunction.append, Self.fixedKeyCount + 2 * cast.appliances.count + cast.stepping.count,
      reservingBytes: length_bytes + 256 * indices.count)
    appendKeys(of: cast, writer: writer, to: &command)
    command.append(String(UInt64.random(in: 0 ... .max), radix: 16))
    for limit in [
      limits.window, Int(limits.windowLifetime / .milliseconds(1)), limits.history, Int(limits.historyLifetime / .milliseconds(1)),
      limits.typesPerAppliance, limits.openCommandsPerAppliance,
    ] {
      command.append(limit)
    }
    command.append(generation.map(String.init) ?? "")
    command.append(cast.appliances.count)
    for appliance in cast.appliances { command.append(Bus.live(appliance)) }
    for index in indices { Self.append(entries[index], cast, to: &command) }
    return command
  }

  /// The appliances that a run is about, and their places in the call, from 1.
  private struct Cast {
    private(set) var appliances: [ApplianceID] = []
    private(set) var places: [ApplianceID: Int] = [:]
    /// Those with a command's step.
    private(set) var stepping: [ApplianceID] = []

    init(_ entries: some Sequence<LogEntry>) {
      for entry in entries {
        guard case .event(let event) = entry.content else { continue }
        if places[event.applianceID] == nil {
          appliances.append(event.applianceID)
          places[event.applianceID] = appliances.count
        }
        if entry.step != nil, !stepping.contains(event.applianceID) { stepping.append(event.applianceID) }
      }
    }

    /// The place of the appliance's open commands among the call's keys.
    func openKey(of appliance: ApplianceID) -> Int {
      AppendRun.fixedKeyCount + 2 * appliances.count + (stepping.firstIndex(of: appliance) ?? 0) + 1
    }
  }

  private static let fixedKeyCount = 10

  private func appendKeys(of cast: Cast, writer: String, to command: inout RedisCommand) {
    for key in [
      Bus.events(shard), Bus.epoch(shard), Bus.seen(shard, writer: writer), Bus.seenBefore(shard, writer: writer), Bus.seen(shard),
      Bus.seenBefore(shard), Bus.fence(shard, writer: writer), Bus.commands(shard, isUrgent: false), Bus.commands(shard, isUrgent: true),
      Bus.deadlines(shard),
    ] { command.append(key) }
    for appliance in cast.appliances {
      command.append(Bus.state(appliance))
      command.append(Bus.history(appliance))
    }
    for appliance in cast.stepping { command.append(Bus.open(appliance)) }
  }

  private static func append(_ entry: LogEntry, _ cast: Cast, to command: inout RedisCommand) {
    let window = (entry.window == .writer ? "w" : "e") + (entry.mayBeDuplicate ? "?" : "")
    switch entry.content {
    case .event(var event):
      event.id = nil
      command.append((event.isTelemetry ? "t" : "d") + window)
      command.append(cast.places[event.applianceID] ?? 0)
      command.append(event.type.rawValue)
      command.append(entry.order.microseconds)
      command.append(entry.fingerprint ?? [])
      command.append(event.encoded())
      command.append(entry.step.map { step($0, openKey: cast.openKey(of: event.applianceID)) } ?? "")
    case .deadLetter(let letter):
      command.append("x" + window)
      command.append(letter.reason)
      command.append(letter.topic)
      command.append(letter.receivedAt.microseconds)
      command.append(entry.fingerprint ?? [])
      command.append(letter.payload)
      command.append("")
    }
  }

  private static func step(_ step: CommandStep, openKey: Int) -> String {
    switch step {
    case .open(let command):
      "o\(openKey) \(command.expiresAt.microseconds) \(command.type) \(command.isUrgent ? "u" : "n") \(command.id)"
    case .sent(let id): "s\(openKey) \(id)"
    case .close(let id): "c\(openKey) \(id)"
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
