/// Which master has which slot, and who replicates it, as one node told (`CLUSTER SLOTS`).
struct SlotMap: Sendable {
  /// Of all the nodes of a cluster; one with more is refused.
  static let nodeCountMax = 1000

  private(set) var masters: [RedisAddress] = []
  /// The replicas that the cluster does not take for failed, by their master. No entry for a master that was not told of.
  private var replicas: [RedisAddress: [RedisAddress]] = [:]
  /// By slot, the place of its master among `masters`; -1 for a slot that nobody has.
  private var owners = [Int16](repeating: -1, count: HashSlot.count)

  /// - Parameter asked: the node that answered; it stands for nodes that know no name of their own.
  init(_ reply: RESPValue, askedAt asked: RedisAddress) throws(RedisError) {
    guard let ranges = reply.array else { throw Self.unexpected(asked) }
    for range in ranges {
      guard let parts = range.array, parts.count >= 3, let first = parts[0].integer, let last = parts[1].integer,
        first >= 0, first <= last, last < HashSlot.count, let master = Self.address(parts[2], asked)
      else { throw Self.unexpected(asked) }
      guard let place = place(of: master) else { throw Self.unexpected(asked) }
      for slot in first...last { owners[Int(slot)] = place }
      replicas[master] = parts.dropFirst(3).compactMap { Self.address($0, asked) }
    }
  }

  func master(of slot: Int) -> RedisAddress? { owners[slot] < 0 ? nil : masters[Int(owners[slot])] }

  /// Whether a master has a living replica, as far as is known; true for one that became a master since.
  func mayHaveReplica(_ master: RedisAddress) -> Bool { replicas[master]?.isEmpty != true }

  /// Whether each master may have a replica.
  var isReplicated: Bool { masters.allSatisfy(mayHaveReplica) }

  var nodes: [RedisAddress] { masters + replicas.values.flatMap { $0 } }

  /// A node has told where a slot is now.
  mutating func move(_ slot: Int, to master: RedisAddress) {
    guard owners.indices.contains(slot), let place = place(of: master) else { return }
    owners[slot] = place
  }

  /// Nil when there are too many.
  private mutating func place(of master: RedisAddress) -> Int16? {
    if let known = masters.firstIndex(of: master) { return Int16(known) }
    guard masters.count < Self.nodeCountMax else { return nil }
    masters.append(master)
    return Int16(masters.count - 1)
  }

  /// Host, port, id and, from Redis 7 on, more. The host may be missing.
  private static func address(_ node: RESPValue, _ asked: RedisAddress) -> RedisAddress? {
    guard let parts = node.array, parts.count >= 2, let port = parts[1].integer, (1...65_535).contains(port) else { return nil }
    return RedisAddress(host: RedisAddress.host(parts[0].text ?? "", asked), port: Int(port))
  }

  private static func unexpected(_ node: RedisAddress) -> RedisError {
    RedisError(.protocolViolation, "Redis at \(node) answered CLUSTER SLOTS with something else than was asked for")
  }
}
