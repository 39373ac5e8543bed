import Models
import Testing

@testable import Signaling

@Suite struct ConnectionQueueTests {
  @Test func `What failed and must be done is done again after a while, whatever fails after it`() throws {
    var queue = ConnectionQueue()
    for work in [.takePlaceAnew, .accessChanged(.user("ann")), .collect, .accessChanged(.everything), .receipt] as [ConnectionQueue.Work] {
      queue.failed(work)
    }
    #expect(queue.next() == nil)
    queue.tryAgain()
    #expect(queue.next() == .takePlaceAnew)
    #expect(queue.next() == .accessChanged(.everything))
    #expect(queue.next() == nil)
    queue.tryAgain()
    #expect(queue.next() == nil)
  }
}
