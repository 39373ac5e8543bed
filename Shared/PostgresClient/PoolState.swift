/// Who has which of a pool's bounded places, and who waits for one. Pure: the pool carries the answers out.
struct PoolState<Member, Waiter> {
  enum Lease {
    /// Take this open connection.
    case member(Member)
    /// A place is free: connect there, then return or vacate it.
    case connect
    /// Wait under this number.
    case wait(UInt64)
    /// Too many wait already.
    case refused
  }

  private let membersMax: Int
  private let waitersMax: Int
  private var idle: [Member] = []
  private var leased = 0
  private var waiters: [(id: UInt64, waiter: Waiter)] = []
  private var nextID: UInt64 = 0
  private(set) var isClosed = false

  init(membersMax: Int, waitersMax: Int) {
    self.membersMax = membersMax
    self.waitersMax = waitersMax
  }

  /// Asks for a place. After `.wait`, follow with `enqueue` before anything else.
  mutating func lease() -> Lease {
    if let member = idle.popLast() {
      leased += 1
      return .member(member)
    }
    if leased < membersMax {
      leased += 1
      return .connect
    }
    guard waiters.count < waitersMax else { return .refused }
    nextID += 1
    return .wait(nextID)
  }

  mutating func enqueue(_ id: UInt64, _ waiter: Waiter) { waiters.append((id, waiter)) }

  /// Gives up waiting; nil when the place was handed over before.
  mutating func abandon(_ id: UInt64) -> Waiter? {
    guard let index = waiters.firstIndex(where: { $0.id == id }) else { return nil }
    return waiters.remove(at: index).waiter
  }

  /// Gives a place back. The longest waiter, if any, now holds it.
  /// - Parameter member: the connection, or nil when it is gone and the place is empty.
  mutating func giveBack(_ member: Member?) -> Waiter? {
    if !waiters.isEmpty { return waiters.removeFirst().waiter }
    leased -= 1
    if let member, !isClosed { idle.append(member) }
    return nil
  }

  /// Closes the pool: what was idle, and who waited in vain.
  mutating func close() -> (idle: [Member], waiters: [Waiter]) {
    isClosed = true
    defer { (idle, waiters) = ([], []) }
    return (idle, waiters.map(\.waiter))
  }
}
