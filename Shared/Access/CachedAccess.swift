package import Models
internal import Synchronization

/// A directory's answers, kept for a while, so that thousands of clients that come back at once are not thousands of queries.
///
/// An answer is fresh for `freshFor`. When the directory cannot be asked, one that is not older than `servedFor` still serves, so a
/// database that is down stops no client that was in. `invalidate()` forgets everything, and no answer that was being fetched at that moment is kept.
package final class CachedAccess: AccessDirectory {
  private enum Question: Hashable {
    case user(String)
    case watch(String, ApplianceID)
  }

  private struct Answer {
    let yes: Bool
    let at: ContinuousClock.Instant
  }

  private struct State {
    var answers: [Question: Answer] = [:]
    var generation = 0
    /// When the directory last failed to answer.
    var failedAt: ContinuousClock.Instant?
  }

  /// After a failure, answers that can bridge it are given without asking again for this long, so that nobody waits for a directory that hangs.
  private static let restAfterFailure = Duration.seconds(5)
  /// Answers kept at once; past it all are forgotten and asked again.
  private static let answerCountMax = 200_000

  private let directory: any AccessDirectory
  private let freshFor: Duration
  private let servedFor: Duration
  private let now: @Sendable () -> ContinuousClock.Instant
  private let state = Mutex(State())

  package init(
    _ directory: any AccessDirectory, freshFor: Duration = .seconds(30), servedFor: Duration = .seconds(900),
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.directory = directory
    self.freshFor = freshFor
    self.servedFor = servedFor
    self.now = now
  }

  package func userExists(_ userID: String) async throws -> Bool {
    try await answer(.user(userID)) { try await $0.userExists(userID) }
  }

  package func mayWatch(userID: String, appliance: ApplianceID) async throws -> Bool {
    try await answer(.watch(userID, appliance)) { try await $0.mayWatch(userID: userID, appliance: appliance) }
  }

  /// Forgets every answer: users, appliances or their sharing have changed, or a change may have been missed.
  package func invalidate() {
    state.withLock {
      $0.answers.removeAll()
      $0.generation += 1
    }
  }

  private func answer(_ question: Question, ask: (any AccessDirectory) async throws -> Bool) async throws -> Bool {
    let (known, generation, failedAt) = state.withLock { ($0.answers[question], $0.generation, $0.failedAt) }
    let asked = now()
    if let known {
      let age = known.at.duration(to: asked)
      let isResting = failedAt.map { $0.duration(to: asked) < Self.restAfterFailure } ?? false
      if age < freshFor || (isResting && age < servedFor) { return known.yes }
    }
    do {
      let yes = try await ask(directory)
      state.withLock { keep(Answer(yes: yes, at: asked), to: question, in: &$0, from: generation) }
      return yes
    } catch {
      state.withLock { $0.failedAt = now() }
      if let known, known.at.duration(to: asked) < servedFor, state.withLock({ $0.generation == generation }) { return known.yes }
      throw error
    }
  }

  private func keep(_ answer: Answer, to question: Question, in state: inout State, from generation: Int) {
    state.failedAt = nil
    guard state.generation == generation else { return }
    if state.answers.count >= Self.answerCountMax { state.answers.removeAll() }
    state.answers[question] = answer
  }
}
