import Models
import Testing

@testable import Gateway

@Suite struct TopicSequenceTests {
  private func hear(_ sequence: inout TopicSequence, _ event: Event) -> TopicSequence.Verdict {
    event.encoded().withUnsafeBytes { sequence.received(id: event.id, $0) }
  }

  /// A sequence that is live, with the log at 10.
  private func live() -> TopicSequence {
    var sequence = TopicSequence()
    sequence.confirmed()
    #expect(sequence.read(state: [Samples.status("online", 10)], history: []) == TopicSequence.Repair())
    #expect(sequence.phase == .live)
    return sequence
  }

  private func broken() -> TopicSequence {
    var sequence = live()
    sequence.disconnected()
    sequence.confirmed()
    #expect(sequence.phase == .repairing)
    return sequence
  }

  @Test func `It is live once the log's end is known`() {
    var sequence = live()
    #expect(sequence.last == EventID(milliseconds: 10, sequence: 0))
    #expect(hear(&sequence, Samples.event("cooking:error", 11)) == .deliver)
    #expect(sequence.last == EventID(milliseconds: 11, sequence: 0))
  }

  @Test func `What is heard before that is not delivered but remembered`() {
    var sequence = TopicSequence()
    sequence.confirmed()
    #expect(hear(&sequence, Samples.event("cooking:error", 12)) == .wait)
    _ = sequence.read(state: [Samples.status("online", 10)], history: [])
    #expect(sequence.last == EventID(milliseconds: 12, sequence: 0))
  }

  @Test func `After a loss the gap is delivered in order and once, and then what was heard meanwhile`() {
    var sequence = broken()
    let events = [11, 12, 14, 15].map { Samples.event("cooking:error", $0) }
    #expect(hear(&sequence, events[2]) == .wait)
    #expect(hear(&sequence, events[3]) == .wait)
    let progress = Samples.event("cooking:progress", 13)
    let repair = sequence.read(state: [Samples.status("online", 10), progress], history: Array(events[..<3]))
    #expect(repair.messages == [events[0], events[1], progress, events[2], events[3]].map { $0.encoded() })
    #expect(!repair.mustRepeat)
    #expect(sequence.phase == .live)
    #expect(sequence.last == EventID(milliseconds: 15, sequence: 0))
  }

  @Test func `Of the state only telemetry is delivered: the discrete events are in the history`() {
    var sequence = broken()
    let status = Samples.status("offline", 11)
    #expect(sequence.read(state: [status], history: [status]).messages == [status.encoded()])
  }

  @Test func `What exceeds the hold is read from the log instead`() {
    var sequence = broken()
    var big = Samples.event("cooking:error", 11)
    big.data = Array("{\"x\":\"".utf8) + [UInt8](repeating: 0x61, count: TopicSequence.heldBytesMax) + Array("\"}".utf8)
    #expect(hear(&sequence, big) == .wait)
    let first = sequence.read(state: [], history: [])
    #expect(first == TopicSequence.Repair(messages: [], mustRepeat: true))
    #expect(sequence.phase == .repairing)
    #expect(hear(&sequence, Samples.event("cooking:error", 12)) == .wait)
    let second = sequence.read(state: [], history: [big])
    #expect(second.messages == [big.encoded(), Samples.event("cooking:error", 12).encoded()])
    #expect(sequence.phase == .live)
  }

  @Test func `A loss during a repair begins another one, and nothing is told twice`() {
    var sequence = broken()
    #expect(hear(&sequence, Samples.event("cooking:error", 12)) == .wait)
    sequence.disconnected()
    #expect(sequence.read(state: [], history: [Samples.event("cooking:error", 11)]) == TopicSequence.Repair())
    let before = sequence.confirmations
    sequence.confirmed()
    #expect(sequence.confirmations == before + 1)
    let missed = [11, 12].map { Samples.event("cooking:error", $0) }
    #expect(sequence.read(state: [], history: missed).messages == missed.map { $0.encoded() })
  }

  @Test func `A loss before it was live starts it over`() {
    var sequence = TopicSequence()
    sequence.confirmed()
    sequence.disconnected()
    #expect(sequence.phase == .unsubscribed)
    sequence.confirmed()
    #expect(sequence.phase == .starting)
  }
}
