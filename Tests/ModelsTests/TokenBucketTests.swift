import Models
import Testing

@Suite struct TokenBucketTests {
  @Test func `A burst passes, then as much as flows in`() {
    var bucket = TokenBucket(burst: 3, perSecond: 2)
    let start = Timestamp(microseconds: 1_000_000)
    let moments = [0, 0, 0, 0, 500, 600, 60_000, 60_000, 60_000, 60_000]
    let passed = moments.map { bucket.spend(at: start + .milliseconds($0)) }
    #expect(passed == [true, true, true, false, true, false, true, true, true, false])
  }

  @Test func `A clock that goes back takes nothing away`() {
    var bucket = TokenBucket(burst: 2, perSecond: 1)
    let passed = [9_000_000, 1_000_000, 1_000_001].map { bucket.spend(at: Timestamp(microseconds: $0)) }
    #expect(passed == [true, true, false])
  }
}
