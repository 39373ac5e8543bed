internal import Models

/// A session has begun (the Epicura document, "Server Events", as all in this file).
public struct CookingStarted: Hashable, Sendable {
  public let sessionID: String?
  public let recipeID: String?
  public let recipeName: String?
  public let totalStages: Int?
  public let estimatedTime_minutes: Double?

  init(_ data: JSONObject) {
    sessionID = data.string("session_id")
    recipeID = data.string("recipe_id")
    recipeName = data.string("recipe_name")
    totalStages = data.integer("total_stages")
    estimatedTime_minutes = data.number("estimated_time_minutes")
  }
}

/// How far a session has come, every 5 to 10 seconds.
public struct CookingProgress: Hashable, Sendable {
  /// What the camera sees.
  public struct Vision: Hashable, Sendable {
    public let className: String?
    /// From 0 to 1.
    public let confidence: Double?

    init(_ data: JSONObject) {
      className = data.string("class")
      confidence = data.number("confidence")
    }
  }

  public let sessionID: String?
  public let currentStage: Int?
  public let stageName: String?
  public let totalStages: Int?
  public let progress_percent: Double?
  /// In °C, as the next.
  public let temperature: Double?
  public let targetTemperature: Double?
  public let isStirring: Bool?
  public let stirPattern: String?
  public let timeRemaining_s: Double?
  public let vision: Vision?

  init(_ data: JSONObject) {
    sessionID = data.string("session_id")
    currentStage = data.integer("current_stage")
    stageName = data.string("stage_name")
    totalStages = data.integer("total_stages")
    progress_percent = data.number("progress_pct")
    temperature = data.number("temperature")
    targetTemperature = data.number("target_temperature")
    isStirring = data.boolean("stir_active")
    stirPattern = data.string("stir_pattern")
    timeRemaining_s = data.number("time_remaining_s")
    vision = data.object("cv_status").map(Vision.init)
  }
}

/// One stage is over and the next begins.
public struct CookingStageChange: Hashable, Sendable {
  public struct Previous: Hashable, Sendable {
    public let index: Int?
    public let name: String?
    public let duration_s: Double?
    /// Such as `success`.
    public let result: String?
    /// What ended it, such as `cv_detected`.
    public let transition: String?

    init(_ data: JSONObject) {
      index = data.integer("index")
      name = data.string("name")
      duration_s = data.number("duration_s")
      result = data.string("result")
      transition = data.string("transition")
    }
  }

  public struct Next: Hashable, Sendable {
    public let index: Int?
    public let name: String?
    public let estimatedDuration_s: Double?

    init(_ data: JSONObject) {
      index = data.integer("index")
      name = data.string("name")
      estimatedDuration_s = data.number("estimated_duration_s")
    }
  }

  public let sessionID: String?
  public let previous: Previous?
  public let next: Next?

  init(_ data: JSONObject) {
    sessionID = data.string("session_id")
    previous = data.object("previous_stage").map(Previous.init)
    next = data.object("next_stage").map(Next.init)
  }
}

/// A session has come to its good end.
public struct CookingComplete: Hashable, Sendable {
  public let sessionID: String?
  public let recipeName: String?
  public let totalDuration_s: Double?
  public let stagesCompleted: Int?
  /// In °C.
  public let peakTemperature: Double?
  /// Stages that the camera ended, and that the clock did.
  public let visionTransitions: Int?
  public let timerTransitions: Int?

  init(_ data: JSONObject) {
    sessionID = data.string("session_id")
    recipeName = data.string("recipe_name")
    totalDuration_s = data.number("total_duration_s")
    stagesCompleted = data.integer("stages_completed")
    peakTemperature = data.number("peak_temperature")
    visionTransitions = data.integer("cv_transitions")
    timerTransitions = data.integer("timer_transitions")
  }
}

/// Something went wrong while cooking.
public struct CookingError: Hashable, Sendable {
  public let sessionID: String?
  /// Such as `OVER_TEMPERATURE`.
  public let code: String?
  public let message: String?
  /// `warning` or `critical`.
  public let severity: String?
  /// What the device did by itself, such as `e_stop`.
  public let actionTaken: String?

  init(_ data: JSONObject) {
    sessionID = data.string("session_id")
    code = data.string("error_code")
    message = data.string("message")
    severity = data.string("severity")
    actionTaken = data.string("action_taken")
  }
}
