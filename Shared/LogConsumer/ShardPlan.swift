/// How the shards are shared. Every member reckons the same from the same list, so nobody has to tell anybody; while the lists
/// differ for a moment, the locks decide.
struct ShardPlan: Hashable {
  let shards: Set<Int>

  /// - Parameters:
  ///   - members: all sessions that share the shards, in an order that all agree on.
  ///   - own: which of them this is; one that is not among them gets nothing.
  init(shardCount: Int, members: [Int], own: Int) {
    guard let place = members.firstIndex(of: own) else {
      shards = []
      return
    }
    shards = Set((0..<shardCount).filter { $0 % members.count == place })
  }
}
