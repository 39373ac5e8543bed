package import EventLog
package import Models

/// A log that behaves as another does, but for what its type says itself.
package protocol ForwardingLog: EventLog {
  var forwardsTo: MemoryEventLog { get }
}

extension ForwardingLog {
  package func append(_ entries: [LogEntry]) async throws -> [AppendOutcome] { try await forwardsTo.append(entries) }

  package func read(shard: Int, after: EventID, limit: Int, wait: Duration) async throws -> LogPage {
    try await forwardsTo.read(shard: shard, after: after, limit: limit, wait: wait)
  }

  package func trim(shard: Int, through last: EventID) async throws { try await forwardsTo.trim(shard: shard, through: last) }

  package func state(of appliance: ApplianceID) async throws -> [Event] { try await forwardsTo.state(of: appliance) }

  package func history(of appliance: ApplianceID, after: EventID) async throws -> EventHistory {
    try await forwardsTo.history(of: appliance, after: after)
  }

  package func openCommand(_ id: String, of appliance: ApplianceID) async throws -> OpenCommand? {
    try await forwardsTo.openCommand(id, of: appliance)
  }

  package func openCommands(of appliance: ApplianceID) async throws -> [OpenCommand] {
    try await forwardsTo.openCommands(of: appliance)
  }

  package func overdueCommands(shard: Int, now: Timestamp, limit: Int) async throws -> [OpenCommand] {
    try await forwardsTo.overdueCommands(shard: shard, now: now, limit: limit)
  }

  package func usage() async throws -> LogUsage { try await forwardsTo.usage() }

  package func publish(_ message: [UInt8], to channel: String) async throws { try await forwardsTo.publish(message, to: channel) }
}
