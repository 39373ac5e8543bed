/// The names of everything on Redis, in one place.
///
/// Keys of one shard carry its number as hash tag, so that Redis Cluster keeps them together and one function call can touch them.
package enum Bus {
  /// Into how many streams the log is split. Fixed: an appliance must stay in its shard for the order of its events to hold.
  package static let shardCount = 16

  /// The shard of an appliance: FNV-1a (64 bits) of its id, modulo `shardCount`.
  package static func shard(of appliance: ApplianceID) -> Int { shard(of: appliance.rawValue.utf8) }

  /// The shard of anything else that goes through the log, by the same hash.
  package static func shard(of bytes: some Sequence<UInt8>) -> Int {
    let hash = bytes.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    return Int(hash % UInt64(shardCount))
  }

  /// Stream: every accepted event and dead letter of the shard.
  package static func events(_ shard: Int) -> String { "events:{\(shard)}" }
  /// String: names this life of the shard's stream; it changes when the stream was lost.
  package static func epoch(_ shard: Int) -> String { "epoch:{\(shard)}" }
  /// Set: fingerprints of recent messages of one writer, or of all together (nil): the younger half of the window.
  package static func seen(_ shard: Int, writer: String? = nil) -> String { "seen:{\(shard)}\(writer.map { ":" + $0 } ?? "")" }
  /// Set: the older half of the window.
  package static func seenBefore(_ shard: Int, writer: String? = nil) -> String { "seen-before:{\(shard)}\(writer.map { ":" + $0 } ?? "")" }

  /// Number: the newest generation of a writer's calls; the function refuses those of an older one.
  package static func fence(_ shard: Int, writer: String) -> String { "fence:{\(shard)}:\(writer)" }

  /// String: the replica of ingest that has a session at the broker, for as long as it says so.
  package static func lease(session: String) -> String { "lease:\(session)" }

  /// Hash: the newest event of each type of one appliance.
  package static func state(_ appliance: ApplianceID) -> String { "state:{\(shard(of: appliance))}:\(appliance)" }
  /// Stream: the last discrete events of one appliance, under the ids of the log.
  package static func history(_ appliance: ApplianceID) -> String { "history:{\(shard(of: appliance))}:\(appliance)" }

  /// Stream: commands on their way to the devices of the shard; urgent ones have a stream of their own, so that nothing is before them.
  package static func commands(_ shard: Int, isUrgent: Bool) -> String { "commands:{\(shard)}:\(isUrgent ? "urgent" : "normal")" }
  /// Hash: the commands of one appliance that have no outcome yet, by their id.
  package static func open(_ appliance: ApplianceID) -> String { openPrefix(shard(of: appliance)) + appliance.rawValue }
  package static func openPrefix(_ shard: Int) -> String { "open:{\(shard)}:" }
  /// Sorted set: the deadlines of the shard's open commands.
  package static func deadlines(_ shard: Int) -> String { "deadlines:{\(shard)}" }

  /// Sorted set: until when each appliance that must not be silent is taken to be there.
  package static func presence(_ shard: Int) -> String { "presence:{\(shard)}" }

  /// String: the gateway's connection by which an appliance hears commands, named so that nobody else has that name. Gone when its gateway is.
  package static func attachment(_ appliance: ApplianceID) -> String { "attached:{\(shard(of: appliance))}:\(appliance)" }

  /// Stream: what services have noted for the audit log, until it is stored.
  package static let audit = "audit"

  /// Channel: the live events of one appliance.
  package static func live(_ appliance: ApplianceID) -> String { livePrefix + appliance.rawValue }
  package static let livePrefix = "ws:"

  /// A key of the shard whose append function publishes an appliance's channel, by which a cluster finds the server that does; any other channel is found by its own name.
  package static func home(ofChannel channel: String) -> String {
    guard channel.hasPrefix(livePrefix) else { return channel }
    return events(shard(of: channel.utf8.dropFirst(livePrefix.utf8.count)))
  }

  /// Channel: something about users, appliances, their sharing or revoked tokens has changed in PostgreSQL.
  package static let changes = "changes"
  /// Channel on which the gateways tell each other how many consoles watch each robot.
  package static let consoles = "consoles"
  /// Channel on which one replica's readiness probe hears itself.
  package static func canary(_ replica: String) -> String { "canary:\(replica)" }
}
