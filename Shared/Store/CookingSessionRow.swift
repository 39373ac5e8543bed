package import Models

/// How and when a session ended.
package struct CookingEnd: Hashable, Sendable {
  package let outcome: CookingOutcome
  package let at: Timestamp

  package init(_ outcome: CookingOutcome, at: Timestamp) {
    self.outcome = outcome
    self.at = at
  }

  /// The device's own word on the session beats what was only inferred; of two that weigh the same, the earlier one is the end.
  func overrides(_ other: CookingEnd) -> Bool { (weight, other.at) > (other.weight, at) }

  private var weight: Int {
    switch outcome {
    case .complete: 2
    case .error: 1
    case .stopped, .abandoned: 0
    }
  }
}

/// What one or more events tell of a cooking session. Rows of one session merge in any order to the same row, so an event may come
/// late or twice: what is known stays, stages only go up, and an end is not taken back.
package struct CookingSessionRow: Hashable, Sendable {
  package struct Stage: Hashable, Sendable {
    package var name: String?
    package var durationSeconds: Double?
    package var result: String?
    package var transition: String?
    package var startedAt: Timestamp?
    package var endedAt: Timestamp?

    package init() {}

    mutating func merge(_ other: Stage) {
      name = name ?? other.name
      durationSeconds = durationSeconds ?? other.durationSeconds
      result = result ?? other.result
      transition = transition ?? other.transition
      startedAt = startedAt ?? other.startedAt
      endedAt = endedAt ?? other.endedAt
    }
  }

  package struct Failure: Hashable, Sendable {
    package let at: Timestamp
    /// A JSON object, as its text.
    package let json: [UInt8]

    package init(at: Timestamp, json: [UInt8]) {
      self.at = at
      self.json = json
    }
  }

  package let applianceID: ApplianceID
  package let id: String
  package var recipeID: String?
  package var recipeName: String?
  package var totalStages: Int?
  package var currentStage: Int?
  package var currentStageName: String?
  package var startedAt: Timestamp
  package var end: CookingEnd?
  package var lastFailure: Failure?
  package var summary: [UInt8]?
  package var updatedAt: Timestamp
  /// By number, 0 to `numberMax`.
  package var stages: [Int: Stage] = [:]

  /// The most stages, and the highest number of one, that a row can hold.
  package static let numberMax = 1_000_000

  /// - Parameters:
  ///   - time: the device's, of the first event that is known of it.
  ///   - receivedAt: when the log took that event in.
  package init(applianceID: ApplianceID, id: String, at time: Timestamp, receivedAt: Timestamp) {
    self.applianceID = applianceID
    self.id = id
    startedAt = time
    updatedAt = receivedAt
  }

  package mutating func merge(_ other: CookingSessionRow) {
    recipeID = recipeID ?? other.recipeID
    recipeName = recipeName ?? other.recipeName
    totalStages = totalStages ?? other.totalStages
    if let stage = other.currentStage { reach(stage, name: other.currentStageName) }
    startedAt = min(startedAt, other.startedAt)
    if let end = other.end { finish(end) }
    if let failure = other.lastFailure, lastFailure.map({ $0.at <= failure.at }) ?? true { lastFailure = failure }
    summary = summary ?? other.summary
    updatedAt = max(updatedAt, other.updatedAt)
    stages.merge(other.stages) { old, new in
      var stage = old
      stage.merge(new)
      return stage
    }
  }

  /// The session is in this stage, unless it was farther already.
  package mutating func reach(_ stage: Int, name: String?) {
    guard let current = currentStage, current >= stage else {
      (currentStage, currentStageName) = (stage, name)
      return
    }
    if current == stage { currentStageName = currentStageName ?? name }
  }

  mutating func finish(_ end: CookingEnd) {
    if self.end.map(end.overrides) ?? true { self.end = end }
  }
}
