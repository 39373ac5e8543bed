import NIOCore

/// The calls of one client in the order of their sending, and which of them a reply belongs to: pure decisions, with the time as an argument.
///
/// Bounded by `RedisConfiguration.Limits`; a call too many is refused. A call that has run out of time keeps its place until its replies have
/// come, because the replies of later calls are known by their position only.
struct CallQueue<Token> {
  typealias Outcome = [Result<RESPValue, RedisError>]

  struct Call {
    let id: UInt64
    let request: ByteBuffer
    /// How many replies it takes: one for each command in it.
    let replyCount: Int
    let deadline: NIODeadline
    /// Nil once the caller has been told: what still comes in is thrown away.
    var token: Token?
  }

  enum ReplyOutcome {
    case finished(Token, Outcome)
    case needsMore
    /// The caller has gone.
    case discarded
    /// Nobody asked for it.
    case unexpected
  }

  struct Expiry {
    var unsent: [Token] = []
    var unanswered: [Token] = []
    /// The server has been silent for too long with a call under way that has run out of time.
    var isConnectionDead = false
  }

  private let limits: RedisConfiguration.Limits
  private let silenceMax: TimeAmount
  private var unsent = CircularBuffer<Call>()
  private var sent = CircularBuffer<Call>()
  /// What has come for the oldest call that was sent.
  private var replies: Outcome = []
  private var byteCount = 0
  /// When the last reply came, or when the oldest call was sent, whichever is later.
  private var lastProgress = NIODeadline.uptimeNanoseconds(0)

  init(limits: RedisConfiguration.Limits, silenceMax: TimeAmount) {
    self.limits = limits
    self.silenceMax = silenceMax
  }

  var waitingCount: Int { unsent.count + sent.count }

  /// False when the queue is full.
  mutating func append(_ call: Call) -> Bool {
    guard waitingCount < limits.waitingCalls, byteCount + call.request.readableBytes <= limits.waitingBytes else { return false }
    byteCount += call.request.readableBytes
    unsent.append(call)
    return true
  }

  /// The next request to write, which from now on is under way.
  mutating func nextRequest(now: NIODeadline) -> ByteBuffer? {
    guard let call = unsent.popFirst() else { return nil }
    if sent.isEmpty { lastProgress = now }
    sent.append(call)
    return call.request
  }

  mutating func received(_ reply: RESPValue, now: NIODeadline) -> ReplyOutcome {
    guard let oldest = sent.first else { return .unexpected }
    lastProgress = now
    if case .error(let error) = reply { replies.append(.failure(error)) } else { replies.append(.success(reply)) }
    guard replies.count == oldest.replyCount else { return .needsMore }
    sent.removeFirst()
    byteCount -= oldest.request.readableBytes
    defer { replies = [] }
    return oldest.token.map { .finished($0, replies) } ?? .discarded
  }

  /// The caller has given up: its token, unless it has been answered already.
  mutating func cancel(id: UInt64) -> Token? {
    if let index = unsent.firstIndex(where: { $0.id == id }) {
      let call = unsent.remove(at: index)
      byteCount -= call.request.readableBytes
      return call.token
    }
    guard let index = sent.firstIndex(where: { $0.id == id }) else { return nil }
    defer { sent[index].token = nil }
    return sent[index].token
  }

  /// Takes out the calls whose deadline has come.
  mutating func expire(now: NIODeadline) -> Expiry {
    var expiry = Expiry()
    unsent.removeAll { call in
      guard call.deadline <= now else { return false }
      byteCount -= call.request.readableBytes
      if let token = call.token { expiry.unsent.append(token) }
      return true
    }
    for index in sent.indices where sent[index].deadline <= now {
      if let token = sent[index].token { expiry.unanswered.append(token) }
      sent[index].token = nil
    }
    expiry.isConnectionDead = deathDate.map { $0 <= now } ?? false
    return expiry
  }

  /// When `expire` has something to do next, as far as is known now.
  var nextDeadline: NIODeadline? {
    let waiting = unsent.lazy.map(\.deadline).min()
    let underWay = sent.lazy.filter { $0.token != nil }.map(\.deadline).min()
    return [waiting, underWay, deathDate].compactMap { $0 }.min()
  }

  private var deathDate: NIODeadline? { sent.first.map { max($0.deadline, lastProgress + silenceMax) } }

  /// The connection has gone, and with it the calls under way.
  mutating func removeSent() -> [Token] {
    defer {
      sent.removeAll()
      replies = []
    }
    for call in sent { byteCount -= call.request.readableBytes }
    return sent.compactMap(\.token)
  }

  /// Those that wait for a connection wait no longer.
  mutating func removeUnsent() -> [Token] {
    defer { unsent.removeAll() }
    for call in unsent { byteCount -= call.request.readableBytes }
    return unsent.compactMap(\.token)
  }

  mutating func removeAll() -> [Token] { removeSent() + removeUnsent() }
}
