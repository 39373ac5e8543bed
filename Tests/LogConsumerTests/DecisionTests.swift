import EventLog
import Models
import Store
import Testing

@testable import LogConsumer

@Suite struct DecisionTests {
  private func id(_ milliseconds: UInt64, _ sequence: UInt64 = 0) -> EventID { EventID(milliseconds: milliseconds, sequence: sequence) }

  private func page(_ ids: [UInt64], epoch: String = "e1", last: UInt64? = nil) -> LogPage {
    let letter = DeadLetter(topic: "t", payload: [], reason: "r", receivedAt: Timestamp(microseconds: 0))
    return LogPage(
      records: ids.map { LogRecord(id: id($0), content: .deadLetter(letter), isLate: false) }, epoch: epoch,
      lastID: id(last ?? ids.last ?? 0), time: .now())
  }

  private func cursor(_ milliseconds: UInt64, epoch: String = "e1", known: UInt64 = 0) -> LogCursor {
    LogCursor(consumer: "persister", shard: 2, epoch: epoch, position: id(milliseconds), knownUntil: id(known))
  }

  // MARK: Pages

  @Test func `New records are stored, and nothing new is nothing to do`() {
    #expect(PageDecision(page([6, 7]), cursor: cursor(5)) == .store)
    #expect(PageDecision(page([], last: 5), cursor: cursor(5)) == .idle)
    #expect(PageDecision(page([6]), cursor: LogCursor(consumer: "persister", shard: 2)) == .store)
    #expect(PageDecision(page([], epoch: ""), cursor: LogCursor(consumer: "persister", shard: 2)) == .idle)
  }

  @Test func `A log of another epoch is read from its beginning, with what was stored known`() {
    let decision = PageDecision(page([9], epoch: "e2"), cursor: cursor(5, known: 3))
    #expect(decision == .startOver(cursor(0, epoch: "e2", known: 5), .newEpoch))
  }

  @Test func `A lost log that has taken nothing in since is told once, and its next life is read from the beginning`() {
    let lost = PageDecision(page([], epoch: ""), cursor: cursor(5))
    #expect(lost == .startOver(cursor(0, epoch: "", known: 5), .newEpoch))
    #expect(PageDecision(page([], epoch: ""), cursor: cursor(0, epoch: "", known: 5)) == .idle)
    #expect(PageDecision(page([9], epoch: "e2"), cursor: cursor(0, epoch: "", known: 5)) == .store)
  }

  @Test func `A log that is behind the cursor was rolled back`() {
    #expect(PageDecision(page([], last: 4), cursor: cursor(5, known: 8)) == .startOver(cursor(0, known: 8), .rolledBack))
    #expect(PageDecision(page([], last: 4), cursor: cursor(0, known: 8)) == .idle)
  }

  // MARK: Shares

  @Test(arguments: 1...20) func `Members share all shards evenly, and none twice`(count: Int) {
    let members = (0..<count).map { 1000 + $0 * 7 }
    let shares = members.map { ShardPlan(shardCount: 16, members: members, own: $0).shards }
    #expect(shares.reduce(0) { $0 + $1.count } == 16)
    #expect(shares.reduce(into: Set()) { $0.formUnion($1) } == Set(0..<16))
    let sizes = shares.map(\.count)
    #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
  }

  @Test func `Who is no member has no share`() {
    #expect(ShardPlan(shardCount: 16, members: [1, 2], own: 3).shards.isEmpty)
    #expect(ShardPlan(shardCount: 16, members: [], own: 3).shards.isEmpty)
  }

  // MARK: Batches

  @Test func `Reads grow while pages are full and shrink when records are large`() {
    var size = ReadSize(recordsMax: 2000, bytesMax: 1_000_000)
    #expect(size.records == 256)
    for _ in 0..<5 { size.learn(records: size.records, bytes: size.records * 100) }
    #expect(size.records == 2000)
    size.learn(records: 10, bytes: 1000)
    #expect(size.records == 2000)
    size.learn(records: 100, bytes: 10_000_000)
    #expect(size.records == 10)
    size.learn(records: 1, bytes: 50_000_000)
    #expect(size.records == 1)
    size.learn(records: 1, bytes: 100)
    #expect(size.records == 2)
  }

  @Test(arguments: [[], [0], [7], [3, 4], [0, 99], Array(0..<100)])
  func `Halving leaves out exactly what is refused, in order`(poison: [Int]) {
    var bisection = Bisection(count: 100)
    var stored: [Int] = []
    var buried: [Int] = []
    while let range = bisection.next {
      if poison.contains(where: range.contains) {
        if let index = bisection.refused() { buried.append(index) }
      } else {
        #expect(stored.last.map { $0 < range.lowerBound } ?? true)
        stored += range
        bisection.accepted()
      }
    }
    #expect(buried == poison && Set(stored).union(poison) == Set(0..<100) && stored.count + poison.count == 100)
  }

  @Test func `The log is trimmed at intervals and only when there is something to trim`() {
    let start = ContinuousClock.now
    var trimmer = Trimmer(interval: .seconds(1))
    let early = [(0.0, 1), (0.5, 2), (1.0, 2)].map { seconds, number in
      trimmer.isDue(at: start + .seconds(seconds), position: id(number))
    }
    #expect(early == [true, false, true])
    trimmer.trimmed(through: id(2))
    let isDueAgain = trimmer.isDue(at: start + .seconds(9), position: id(2))
    #expect(!isDueAgain)
  }
}
