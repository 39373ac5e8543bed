/// A Redis Cluster in place of one server: so many masters, each with one replica. The parts are `redis-1`, `redis-2`, …
package struct RedisClusterServers: Sendable {
  package let nodes: [RedisServer]

  /// What the cluster says of one of its nodes.
  package struct Member: Sendable {
    /// The part's name.
    package let name: String
    /// By which nodes know it.
    package let id: String
    package let isMaster: Bool
    /// The id of the master that it replicates.
    package let masterID: String?
    package let slots: [ClosedRange<Int>]
  }

  init(masters: Int, folder: StackFolder, memoryBytesMax: Int, certificates: Certificates?) throws {
    nodes = try (1...2 * masters).map {
      try RedisServer(folder: folder, memoryBytesMax: memoryBytesMax, certificates: certificates, clusterNode: $0)
    }
  }

  /// The address for a user, without the password: `redis://gateway@127.0.0.1:20123,127.0.0.1:20124,…`.
  package func url(_ user: RedisServer.User) -> String {
    "\(caFile == nil ? "redis" : "rediss")://\(user.rawValue)@\(nodes.map { "\($0.host):\($0.port)" }.joined(separator: ","))"
  }

  /// The certificate authority to trust, if the stack was asked for TLS.
  package var caFile: String? { nodes[0].tls?.caFile }

  package func password(_ user: RedisServer.User) -> String { nodes[0].password(user) }

  package func passwordFile(_ user: RedisServer.User) -> String { nodes[0].passwordFile(user) }

  /// The node of that name.
  package func node(_ name: String) throws(LocalStackError) -> RedisServer {
    guard let node = nodes.first(where: { $0.name == name }) else {
      throw LocalStackError(.unknownPart, part: name, "The cluster has no such node.")
    }
    return node
  }

  /// All nodes, as one of them sees them that answers.
  package func members() async throws -> [Member] {
    var failure: (any Error)?
    for node in nodes.shuffled() {
      do { return try await members(seenBy: node) } catch { failure = failure ?? error }
    }
    throw failure ?? LocalStackError(.unusable, part: "redis", "The cluster has no nodes.")
  }

  private func members(seenBy node: RedisServer) async throws -> [Member] {
    try await node.cli("CLUSTER", "NODES").split(separator: "\n").compactMap(member)
  }

  /// The node that has a slot.
  package func master(of slot: Int) async throws -> Member {
    guard let master = try await members().first(where: { $0.isMaster && $0.slots.contains { $0.contains(slot) } }) else {
      throw LocalStackError(.unusable, part: "redis", "No node of the cluster has slot \(slot).")
    }
    return master
  }

  /// `<id> <host>:<port>@<bus port> <flags> <master's id or -> <ping> <pong> <epoch> <link> <slot or range>…`
  private func member(_ line: Substring) -> Member? {
    let words = line.split(separator: " ")
    guard words.count >= 8, let port = words[1].prefix(while: { $0 != "@" }).split(separator: ":").last.flatMap({ Int($0) }),
      let node = nodes.first(where: { $0.port == port })
    else { return nil }
    let slots = words.dropFirst(8).compactMap { word -> ClosedRange<Int>? in
      let ends = word.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last else { return nil }
      return first...last
    }
    let flags = words[2].split(separator: ",")
    return Member(
      name: node.name, id: String(words[0]), isMaster: flags.contains("master") && !flags.contains("fail"),
      masterID: words[3] == "-" ? nil : String(words[3]), slots: slots)
  }

  /// Makes one cluster of the nodes, unless they are one already, and returns when it is whole.
  func form(limit: Duration) async throws {
    if try await nodes[0].cli("CLUSTER", "INFO").contains("cluster_slots_assigned:0") {
      let addresses = nodes.map { "\($0.host):\($0.port)" }
      _ = try await nodes[0].run(
        ["--cluster", "create"] + addresses + ["--cluster-replicas", "1", "--cluster-yes"], limit: limit)
    }
    try await waitUntilWhole(limit: limit)
  }

  /// Returns when every slot has a master, every replica has what its master has, and every node knows all that.
  package func waitUntilWhole(limit: Duration = .seconds(60)) async throws {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
      if (try? await isWhole()) == true { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw LocalStackError(.deadlineExceeded, part: "redis", "The cluster was not whole within \(limit).")
  }

  private func isWhole() async throws -> Bool {
    for node in nodes {
      let (state, slots) = (try await node.cli("CLUSTER", "INFO"), try await node.cli("CLUSTER", "SLOTS"))
      let members = try await members(seenBy: node)
      guard state.contains("cluster_state:ok"), state.contains("cluster_slots_ok:16384"), members.count == nodes.count,
        members.count(where: \.isMaster) == nodes.count / 2,
        // A replica is named there when it has what its master has.
        nodes.allSatisfy({ slots.contains("\($0.port)") })
      else { return false }
    }
    return true
  }
}
