import NIOCore
import Testing

@testable import RedisClient

@Suite("Call queue")
struct CallQueueTests {
  private func at(_ milliseconds: Int) -> NIODeadline { .uptimeNanoseconds(UInt64(1000 + milliseconds) * 1_000_000) }

  private func call(_ id: UInt64, replies: Int = 1, deadline: Int = 100, bytes: Int = 10) -> CallQueue<String>.Call {
    .init(id: id, request: ByteBuffer(repeating: 0, count: bytes), replyCount: replies, deadline: at(deadline), token: "call \(id)")
  }

  private func queue(calls: Int = 10, bytes: Int = 1000) -> CallQueue<String> {
    var limits = RedisConfiguration.Limits()
    limits.waitingCalls = calls
    limits.waitingBytes = bytes
    return CallQueue(limits: limits, silenceMax: .milliseconds(1000))
  }

  private func finished(_ outcome: CallQueue<String>.ReplyOutcome) -> String? {
    if case .finished(let token, let replies) = outcome { return "\(token): \(replies.count)" }
    return nil
  }

  @Test func `replies belong to calls by their order, several to a pipeline`() {
    var queue = queue()
    #expect([queue.append(call(1, replies: 2)), queue.append(call(2))] == [true, true])
    #expect(
      [queue.nextRequest(now: at(0)), queue.nextRequest(now: at(0)), queue.nextRequest(now: at(0))].map { $0 != nil } == [
        true, true, false,
      ])
    #expect(finished(queue.received(.null, now: at(1))) == nil)
    #expect(finished(queue.received(.null, now: at(1))) == "call 1: 2")
    #expect(finished(queue.received(.null, now: at(1))) == "call 2: 1")
    guard case .unexpected = queue.received(.null, now: at(1)) else { return #expect(Bool(false), "a reply too many") }
  }

  @Test func `it is bounded in calls and in bytes, and room comes back`() {
    var queue = queue(calls: 3, bytes: 25)
    #expect([queue.append(call(1)), queue.append(call(2)), queue.append(call(3))] == [true, true, false])
    _ = queue.nextRequest(now: at(0))
    #expect(queue.append(call(3)) == false)
    _ = queue.received(.null, now: at(0))
    #expect([queue.append(call(3)), queue.append(call(4))] == [true, false])
    #expect(queue.cancel(id: 3) == "call 3")
    #expect([queue.append(call(5, bytes: 1)), queue.append(call(6, bytes: 1)), queue.append(call(7, bytes: 1))] == [true, true, false])
  }

  @Test func `calls expire whether they were sent or not, and a late reply is thrown away`() {
    var queue = queue()
    #expect([queue.append(call(1)), queue.append(call(2, deadline: 200)), queue.append(call(3, deadline: 50))] == [true, true, true])
    _ = queue.nextRequest(now: at(0))
    #expect(queue.nextDeadline == at(50))
    #expect(queue.expire(now: at(50)).unsent == ["call 3"])
    let expiry = queue.expire(now: at(100))
    #expect(expiry.unanswered == ["call 1"] && expiry.unsent.isEmpty && !expiry.isConnectionDead)
    guard case .discarded = queue.received(.null, now: at(150)) else { return #expect(Bool(false), "the late reply") }
    #expect(queue.nextDeadline == at(200))
  }

  @Test func `a connection is dead when the oldest call is out of time and nothing has come for long`() {
    var queue = queue()
    for id in 1...3 { #expect(queue.append(call(UInt64(id))) == true) }
    while queue.nextRequest(now: at(0)) != nil {}
    #expect(queue.expire(now: at(999)).isConnectionDead == false)
    _ = queue.received(.null, now: at(999))
    #expect(queue.expire(now: at(1000)).isConnectionDead == false)
    #expect(queue.nextDeadline == at(1999))
    #expect(queue.expire(now: at(1999)).isConnectionDead == true)
  }

  @Test func `a call of long patience keeps its connection`() {
    var queue = queue()
    #expect(queue.append(call(1, deadline: 5000)) == true)
    _ = queue.nextRequest(now: at(0))
    #expect(queue.expire(now: at(4999)).isConnectionDead == false)
    #expect(queue.expire(now: at(5000)).isConnectionDead == true)
  }

  @Test func `a lost connection fails what was sent and keeps what was not`() {
    var queue = queue()
    #expect([queue.append(call(1)), queue.append(call(2))] == [true, true])
    _ = queue.nextRequest(now: at(0))
    #expect(queue.removeSent() == ["call 1"])
    #expect(queue.waitingCount == 1)
    #expect(queue.removeAll() == ["call 2"])
  }

  @Test func `what waits for a connection can be given up by itself, and room comes back`() {
    var queue = queue(bytes: 20)
    #expect([queue.append(call(1)), queue.append(call(2)), queue.append(call(3))] == [true, true, false])
    _ = queue.nextRequest(now: at(0))
    #expect(queue.removeUnsent() == ["call 2"])
    #expect(queue.append(call(3)) == true)
    #expect(finished(queue.received(.null, now: at(1))) == "call 1: 1")
  }

  @Test func `replies of a call whose connection was lost are not those of the next one`() {
    var queue = queue()
    #expect([queue.append(call(1, replies: 3)), queue.append(call(2))] == [true, true])
    _ = queue.nextRequest(now: at(0))
    _ = queue.received(.null, now: at(1))
    #expect(queue.removeSent() == ["call 1"])
    _ = queue.nextRequest(now: at(2))
    #expect(finished(queue.received(.null, now: at(3))) == "call 2: 1")
  }
}
