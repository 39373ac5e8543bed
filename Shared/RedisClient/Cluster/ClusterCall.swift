/// A call to a cluster on its way: which of its commands go where, which are answered, and what has to be sent again. Pure.
///
/// Commands of one slot keep their order. A command without a key goes along with the command before it, at the beginning with the first that has one, and is sent
/// again with it.
struct ClusterCall {
  typealias Outcome = Result<RESPValue, RedisError>

  /// What one node is sent in one write.
  struct Part {
    let node: RedisAddress
    fileprivate(set) var commands: [RedisCommand] = []
    /// By command, its place in the call; nil for what the cluster's protocol adds.
    fileprivate(set) var places: [Int?] = []
    fileprivate var endsWithWait = false
  }

  /// What the answers of one round mean for the next.
  struct Verdict {
    var moves: [(slot: Int, to: RedisAddress)] = []
    /// Some node could not do its part now: another round must wait a little, and the map may be out of date.
    var isHeldUp = false

    mutating func add(_ other: Verdict) {
      moves += other.moves
      isHeldUp = isHeldUp || other.isHeldUp
    }
  }

  private let commands: [RedisCommand]
  private let replicaTimeout_ms: Int?
  /// By command, the place of the one that it goes with: itself if it has a key.
  private let leaders: [Int]
  private let slots: [Int?]
  private var outcomes: [Outcome?]
  /// By leader, the node that has its key already while its slot is moving.
  private var asked: [Int: RedisAddress] = [:]
  /// Why a command is not done yet.
  private var lastFailure: RedisError?
  /// Whether the map had no node for some command in the last round.
  private(set) var isHomeless = false

  /// - Parameter replicaTimeout_ms: how long a master's replica may take to confirm what was done; nil asks none.
  init(_ commands: [RedisCommand], replicaTimeout_ms: Int? = nil) {
    self.commands = commands
    self.replicaTimeout_ms = replicaTimeout_ms
    let slots = commands.map(\.slot)
    self.slots = slots
    var leader = slots.firstIndex { $0 != nil } ?? 0
    leaders = slots.indices.map { place in
      if slots[place] != nil { leader = place }
      return leader
    }
    outcomes = commands.map { _ in nil }
  }

  /// The outcomes when all are there.
  var result: [Outcome]? { outcomes.contains { $0 == nil } ? nil : outcomes.compactMap { $0 } }

  /// The outcomes when there is no more time: what is not done has failed.
  func result(at deadline: RedisError) -> [Outcome] { outcomes.map { $0 ?? .failure(lastFailure ?? deadline) } }

  /// What is to be sent now, one part for each node. What has no node now is left out.
  mutating func parts(by map: SlotMap) -> [Part] {
    var parts: [Part] = []
    isHomeless = false
    // Whatever has no key at all is the same for every node.
    let anywhere = map.masters.randomElement()
    for (place, command) in commands.enumerated() where outcomes[place] == nil {
      let leader = leaders[place]
      guard let node = asked[leader] ?? (slots[leader].map { map.master(of: $0) } ?? anywhere) else {
        isHomeless = true
        lastFailure = RedisError(
          .server("CLUSTERDOWN"), "no node of the Redis cluster has slot \(slots[leader] ?? 0); see redis-cli --cluster check")
        continue
      }
      let index = parts.firstIndex { $0.node == node } ?? parts.endIndex
      if index == parts.endIndex { parts.append(Part(node: node)) }
      if asked[leader] != nil, slots[place] != nil { parts[index].add(RedisCommand("ASKING"), nil) }
      parts[index].add(command, place)
    }
    if let replicaTimeout_ms {
      for index in parts.indices where map.mayHaveReplica(parts[index].node) {
        parts[index].add(RedisCommand("WAIT", 1, replicaTimeout_ms), nil)
        parts[index].endsWithWait = true
      }
    }
    return parts
  }

  /// Throws when something was done that no replica has confirmed.
  mutating func answered(_ part: Part, _ replies: [Outcome]) throws(RedisError) -> Verdict {
    var verdict = Verdict()
    var isDone = false
    var again: Set<Int> = []
    for (place, reply) in zip(part.places, replies) {
      guard let place else { continue }
      asked[place] = nil
      if case .failure(let error) = reply, let redirection = Redirection(error, from: part.node) {
        again.insert(place)
        follow(redirection, of: place, error, &verdict)
      } else if !again.contains(leaders[place]) {
        outcomes[place] = reply
        isDone = true
      }
    }
    if isDone, part.endsWithWait, try Self.confirmations(replies.last) < 1 {
      throw RedisError(.notReplicated, "no replica of the Redis server at \(part.node) has confirmed in time what it was sent")
    }
    return verdict
  }

  private mutating func follow(_ redirection: Redirection, of place: Int, _ error: RedisError, _ verdict: inout Verdict) {
    switch redirection {
    case .moved(let slot, let node): verdict.moves.append((slot, node))
    case .ask(let node): asked[place] = node
    case .later:
      verdict.isHeldUp = true
      lastFailure = error
      return
    }
    lastFailure = RedisError(error.code, "the nodes of the Redis cluster sent a command from one to another until its time was over")
  }

  private static func confirmations(_ reply: Outcome?) throws(RedisError) -> Int64 {
    guard let reply else { return 0 }
    return try reply.get().integer ?? 0
  }

  /// The node could not be reached: nothing of the part was sent.
  mutating func unreachable(_ part: Part, _ error: RedisError) -> Verdict {
    for case let place? in part.places { asked[place] = nil }
    lastFailure = error
    return Verdict(isHeldUp: true)
  }
}

extension ClusterCall.Part {
  fileprivate mutating func add(_ command: RedisCommand, _ place: Int?) {
    commands.append(command)
    places.append(place)
  }
}
