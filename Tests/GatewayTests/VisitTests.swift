import Access
import Models
import Testing
import WebSocketTransport

@testable import Gateway

@Suite struct VisitTests {
  private let ann = Principal(subject: "ann", expiresAt: Samples.time + .seconds(900))

  private func visit() -> Visit { Visit(limits: SessionLimits(earlyFramesMax: 2), now: Samples.time) }

  private func admitted() -> Visit {
    var visit = visit()
    _ = visit.admit(.admitted(ann))
    return visit
  }

  @Test func `What came before the token was checked is handed on in order, up to a bound`() {
    var visit = visit()
    #expect(visit.keep([1]) == nil && visit.keep([2]) == nil && visit.principal == nil)
    #expect(visit.admit(.admitted(ann)) == .entered(ann, early: [[1], [2]]))
    #expect(visit.principal == ann && visit.admit(.admitted(ann)) == nil)
    var hasty = self.visit()
    #expect(hasty.keep([1]) == nil && hasty.keep([2]) == nil)
    #expect(hasty.keep([3])?.code == .policyViolation)
    #expect(hasty.admit(.admitted(ann)) == nil)
  }

  @Test(arguments: [
    (AccessError.authenticationRequired, "Authentication required"), (.invalidOrExpiredToken, "Invalid or expired token"),
    (.tokenRevoked, "Token has been revoked"), (.userNotFound, "User not found"),
  ])
  func `A refused token closes with 1008 and the document's text`(error: AccessError, text: String) {
    var visit = visit()
    #expect(visit.admit(.refused(error)) == .ended(.init(code: .policyViolation, reason: text)))
    #expect(visit.principal == nil)
  }

  @Test func `A token that nobody can check sends the client away to come back`() {
    var asked = visit()
    #expect(asked.admit(.unavailable) == .ended(.tokenCannotBeChecked))
    var waiting = visit()
    #expect(waiting.tick(now: Samples.time + .seconds(10)) == nil)
    #expect(waiting.tick(now: Samples.time + .seconds(11)) == .ended(.tokenCannotBeChecked))
    #expect(waiting.tick(now: Samples.time + .seconds(12)) == nil)
  }

  @Test func `A token is told a minute before its end, renewed by its own user, and ends the visit`() throws {
    var visit = admitted()
    #expect(visit.tick(now: ann.expiresAt + .seconds(-60)) == .expiring(at: ann.expiresAt))
    #expect(visit.tick(now: ann.expiresAt + .seconds(-59)) == nil)
    try visit.beginRenewal()
    #expect(throws: RenewalError.earlierOneIsChecked) { try visit.beginRenewal() }
    #expect(throws: RenewalError.otherUsers) {
      try visit.renew(.admitted(Principal(subject: "bob", expiresAt: ann.expiresAt + .seconds(900))))
    }
    let later = Principal(subject: "ann", expiresAt: ann.expiresAt + .seconds(900))
    try visit.beginRenewal()
    #expect(try visit.renew(.admitted(later)) == later)
    #expect(visit.tick(now: ann.expiresAt) == nil)
    #expect(visit.tick(now: later.expiresAt) == .ended(.refused(.invalidOrExpiredToken)))
    #expect(visit.principal == nil)
  }

  @Test func `A change while an answer is on its way is asked for once more`() {
    var visit = visit()
    visit.mustBeRechecked()
    #expect(visit.recheckIfDue() == nil)
    _ = visit.admit(.admitted(ann))
    #expect(visit.recheckIfDue() == ann && visit.recheckIfDue() == nil)
    visit.mustBeRechecked()
    #expect(visit.recheckIfDue() == nil)
    #expect(visit.rechecked(.init(lost: [Samples.appliance])) == .stays(lost: [Samples.appliance]))
    #expect(visit.recheckIfDue() == ann)
    #expect(visit.rechecked(nil) == .unanswered)
    #expect(visit.recheckIfDue() == ann)
    #expect(visit.rechecked(.init(refusal: .tokenRevoked)) == .ended(.refused(.tokenRevoked)))
    #expect(visit.recheckIfDue() == nil)
  }

  @Test func `The twenty-first mistake within ten seconds is one too many`() {
    var visit = admitted()
    for _ in 0..<20 { #expect(visit.countMistake(now: Samples.time) == nil) }
    #expect(visit.countMistake(now: Samples.time) == .broken("Too many errors"))
    #expect(visit.principal == nil)
  }
}
