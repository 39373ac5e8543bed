import Testing

@testable import MQTTClient

@Suite("DUP flag from the library's log")
struct PublishLogLineTests {
  private func flag(_ line: String, packetID: UInt16, clientID: String = "me") -> Bool {
    var reader = PublishLogLine(clientID: clientID)
    reader.read(line)
    return reader.takeIsDuplicate(packetID: packetID)
  }

  @Test func `the flag is read`() {
    #expect(flag("Client me received PUBLISH (d1, q1, r0, m7, 'a/b', ... (3 bytes))", packetID: 7))
    #expect(!flag("Client me received PUBLISH (d0, q1, r0, m65535, 'a/b', ... (3 bytes))", packetID: 65535))
  }

  @Test(arguments: [
    "", "Client me", "Client me received PUBLISH (d", "Client me received PUBLISH (d0, q1", "Client me received PUBLISH (d0, q1, r0, m",
    "Client me received PUBLISH (d0, q1, r0, m8, 'x'", "Client me received PUBLISH (dup=0, q1, r0, m7, 'x'",
    "Client you received PUBLISH (d0, q1, r0, m7, 'x'", "Client me received PUBLISH (d0, q1, r0, m99999999999999999999, 'x'",
  ])
  func `a message without its line may be a redelivery`(line: String) {
    #expect(flag(line, packetID: 7))
  }

  @Test func `a line counts for one message`() {
    var reader = PublishLogLine(clientID: "me")
    reader.read("Client me received PUBLISH (d0, q1, r0, m7, 'a', ... (0 bytes))")
    let flags = [reader.takeIsDuplicate(packetID: 7), reader.takeIsDuplicate(packetID: 7)]
    #expect(flags == [false, true])
  }
}

@Suite("Subscription requests")
struct SubscriptionRequestsTests {
  @Test func `a refused subscription is asked for again after a pause, the others are not`() {
    let start = ContinuousClock.now
    let (one, two) = (MQTTSubscription("one"), MQTTSubscription("two"))
    var requests = SubscriptionRequests([one, two], now: start)
    #expect(requests.due(at: start) == [one, two])
    requests.asked(for: one, requestID: 1, answerBy: start + .seconds(10))
    requests.asked(for: two, requestID: 2, answerBy: start + .seconds(10))
    #expect(requests.due(at: start) == [])
    #expect(requests.answered(requestID: 1, reasonCode: 0x87, at: start, random: 1) == .refused(filter: "one"))
    #expect(requests.answered(requestID: 2, reasonCode: 1, at: start, random: 1) == .granted)
    #expect(requests.answered(requestID: 9, reasonCode: 0, at: start, random: 1) == nil)
    #expect(requests.due(at: start + .milliseconds(999)) == [])
    #expect(requests.nextDeadline == start + .seconds(1))
    #expect(requests.due(at: start + .seconds(1)) == [one])
    requests.asked(for: one, requestID: 3, answerBy: start + .seconds(11))
    #expect(requests.overdue(at: start + .seconds(10)) == nil)
    #expect(requests.overdue(at: start + .seconds(11)) == "one")
    #expect(requests.answered(requestID: 3, reasonCode: 0, at: start, random: 1) == .allGranted)
    #expect(requests.nextDeadline == nil)
  }

  @Test func `nothing waits for an optional subscription, and a refused one is left`() {
    let start = ContinuousClock.now
    let (needed, nice) = (MQTTSubscription("needed"), MQTTSubscription("nice", isOptional: true))
    var requests = SubscriptionRequests([needed, nice], now: start)
    requests.asked(for: needed, requestID: 1, answerBy: start + .seconds(10))
    requests.asked(for: nice, requestID: 2, answerBy: start + .seconds(10))
    #expect(requests.answered(requestID: 1, reasonCode: 1, at: start, random: 1) == .allGranted)
    #expect(requests.answered(requestID: 2, reasonCode: 0x87, at: start, random: 1) == .refused(filter: "nice"))
    #expect(requests.nextDeadline == nil)
  }
}
