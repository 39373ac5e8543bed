import Models
import Store

/// How an attempt ended, as far as the network tells.
enum AttemptOutcome: Hashable, Sendable {
  /// The receiver answered.
  /// - Parameters:
  ///   - retryAfter: the header's text.
  ///   - excerpt: how the body began.
  case answered(status: Int, retryAfter: String?, excerpt: String?)
  /// No answer came.
  case failed(WebhookFailure, String)

  var isSuccess: Bool { if case .answered(200..<300, _, _) = self { true } else { false } }
}

/// What follows from an attempt, for its delivery and its webhook. Pure.
struct Verdict: Sendable {
  let result: WebhookQueue.Result
  let standing: WebhookQueue.Standing

  init(
    _ outcome: AttemptOutcome, of claim: WebhookQueue.Claim, at endpoint: WebhookQueue.Endpoint, startedAt: Timestamp, endedAt: Timestamp,
    schedule: RetrySchedule, random: Double
  ) {
    let (status, retryAfter, detail): (Int?, Duration?, String?) =
      switch outcome {
      case .answered(let status, let header, let excerpt):
        (status, header.flatMap { RetryAfter.parse($0, now: endedAt) }, Self.detail(status, excerpt))
      case .failed(_, let sentence): (nil, nil, sentence)
      }
    let failure: WebhookFailure? =
      switch outcome {
      case .answered: outcome.isSuccess ? nil : .status
      case .failed(let failure, _): failure
      }
    let attempt = WebhookAttempt(
      number: claim.attempt, startedAt: startedAt, duration_ms: Int(max(.zero, endedAt - startedAt) / .milliseconds(1)), status: status,
      failure: failure, detail: detail)
    var standing = WebhookQueue.Standing(claim.webhookID, hasFailed: failure != nil, wasFailing: endpoint.isFailing)
    standing.isGone = status == 410
    var next = WebhookQueue.Result.Next.delivered
    if failure != nil {
      let failures = claim.failureCount + 1
      let delay = standing.isGone ? nil : schedule.delay(afterFailures: failures, retryAfter: retryAfter, random: random)
      // Where order matters, the line waits for the first retry of its head, which keeps its place; after that the others go on without it.
      let keepsPlace = endpoint.isOrdered && failures == 1
      next = delay.map { .retry(at: keepsPlace ? nil : endedAt + $0) } ?? .dead
      if let delay, keepsPlace || (retryAfter ?? .zero) > .zero && [429, 503].contains(status) { standing.heldUntil = endedAt + delay }
    }
    result = WebhookQueue.Result(claim, attempt, next: next)
    self.standing = standing
  }

  private static func detail(_ status: Int, _ excerpt: String?) -> String? {
    if (300..<400).contains(status) {
      return "The receiver answered with a redirect, which is not followed: give the webhook the new address"
    }
    return excerpt?.isEmpty == true ? nil : excerpt
  }
}
