/// What becomes of a command that a cluster's node has refused without having done anything of it.
enum Redirection: Hashable {
  /// The slot is at another node for good.
  case moved(slot: Int, to: RedisAddress)
  /// The slot is moving, and this command's key is there already.
  case ask(RedisAddress)
  /// The same may work soon: the keys of the command are on both sides of a slot that is moving, the node's cluster is not whole, or the node is still loading or has changed its part.
  case later

  /// Nil for an error that is the command's own.
  init?(_ error: RedisError, from node: RedisAddress) {
    guard case .server(let code) = error.code else { return nil }
    switch code {
    case "MOVED", "ASK":
      guard let (slot, address) = Self.target(error.message, node) else { return nil }
      self = code == "ASK" ? .ask(address) : .moved(slot: slot, to: address)
    case "TRYAGAIN", "CLUSTERDOWN", "UNBLOCKED", "LOADING", "MASTERDOWN": self = .later
    default: return nil
    }
  }

  /// `… MOVED <slot> <host>:<port>`
  private static func target(_ message: String, _ node: RedisAddress) -> (Int, RedisAddress)? {
    let words = message.split(separator: " ").suffix(2)
    guard let slot = words.first.flatMap({ Int($0) }), (0..<HashSlot.count).contains(slot),
      let address = words.last.flatMap({ RedisAddress(named: $0, by: node) })
    else { return nil }
    return (slot, address)
  }
}
