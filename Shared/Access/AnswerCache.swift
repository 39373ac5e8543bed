internal import Synchronization

/// The answers to one kind of question, each with its age; see `CachedAccess`.
package final class AnswerCache<Question: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Answer {
    let value: Value
    let at: ContinuousClock.Instant
  }

  private struct State {
    var answers: [Question: Answer] = [:]
    var generation = 0
    /// When the question could last not be answered.
    var failedAt: ContinuousClock.Instant?
  }

  /// After a failure, answers that can bridge it are given without asking again for this long, so that nobody waits for a directory that hangs.
  private let restAfterFailure = Duration.seconds(5)
  /// Answers kept at once; past it all are forgotten and asked again.
  private let answerCountMax = 100_000

  private let freshFor: Duration
  private let servedFor: Duration
  private let now: @Sendable () -> ContinuousClock.Instant
  private let state = Mutex(State())

  /// - Parameters:
  ///   - freshFor: how long an answer counts without being asked for again.
  ///   - servedFor: how long it bridges a failure to get another one.
  package init(
    freshFor: Duration = .seconds(30), servedFor: Duration = .seconds(900),
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.freshFor = freshFor
    self.servedFor = servedFor
    self.now = now
  }

  /// Forgets answers, also as a bridge over a failure. No answer that is being fetched at this moment is kept.
  package func invalidate(where isConcerned: (Question) -> Bool = { _ in true }) {
    state.withLock { state in
      for question in state.answers.keys.filter(isConcerned) { state.answers[question] = nil }
      state.generation += 1
    }
  }

  /// The answer that is kept while it is fresh, else what `ask` gives, else, where that throws, the one that is kept.
  package func answer(_ question: Question, ask: () async throws -> Value) async throws -> Value {
    let (known, generation, failedAt) = state.withLock { ($0.answers[question], $0.generation, $0.failedAt) }
    let asked = now()
    if let known {
      let age = known.at.duration(to: asked)
      let isResting = failedAt.map { $0.duration(to: asked) < restAfterFailure } ?? false
      if age < freshFor || (isResting && age < servedFor) { return known.value }
    }
    do {
      let value = try await ask()
      state.withLock { keep(Answer(value: value, at: asked), to: question, in: &$0, from: generation) }
      return value
    } catch {
      state.withLock { $0.failedAt = now() }
      if let known, known.at.duration(to: asked) < servedFor, state.withLock({ $0.generation == generation }) { return known.value }
      throw error
    }
  }

  private func keep(_ answer: Answer, to question: Question, in state: inout State, from generation: Int) {
    state.failedAt = nil
    guard state.generation == generation else { return }
    if state.answers.count >= answerCountMax { state.answers.removeAll() }
    state.answers[question] = answer
  }
}
