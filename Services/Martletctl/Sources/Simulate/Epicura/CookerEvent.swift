import Models

/// What a cooker tells: the events of the Epicura document, each with the members and in the order that the document shows.
enum CookerEvent: Sendable, Equatable {
  enum Status: String, Sendable { case online, offline, cooking, error }

  case status(Status)
  case started(sessionID: String, Recipe)
  case progress(Progress)
  case stageChange(StageChange)
  case complete(Completion)
  case error(sessionID: String, CookerFault)
  case alert(CookerAlert)

  struct Progress: Sendable, Equatable {
    var sessionID: String
    /// From 1.
    var stage: Int
    var stageName: String
    var stageCount: Int
    var percent: Int
    var temperature: Double
    var targetTemperature: Double
    var stirPattern: String
    var remainingSeconds: Int
    /// What the camera sees, in stages that it watches.
    var sight: Sight?

    struct Sight: Sendable, Equatable {
      var name: String
      /// 0 to 1.
      var confidence: Double
    }
  }

  struct StageChange: Sendable, Equatable {
    var sessionID: String
    var previousIndex: Int
    var previousName: String
    var durationSeconds: Int
    var transition: Transition
    var nextName: String
    var nextEstimatedSeconds: Int
  }

  /// What ended a stage.
  enum Transition: String, Sendable {
    case camera = "cv_detected"
    case timer
  }

  struct Completion: Sendable, Equatable {
    var sessionID: String
    var recipeName: String
    var totalSeconds: Int
    var stagesCompleted: Int
    var peakTemperature: Double
    var cameraTransitions: Int
    var timerTransitions: Int
  }

  var type: String {
    switch self {
    case .status: "appliance:status"
    case .started: "cooking:started"
    case .progress: "cooking:progress"
    case .stageChange: "cooking:stage_change"
    case .complete: "cooking:complete"
    case .error: "cooking:error"
    case .alert: "appliance:alert"
    }
  }

  /// The event's `data`.
  var data: [UInt8] {
    var object = JSONWriter()
    switch self {
    case .status(let status):
      object.add("status", status.rawValue)
      if status == .online {
        object.add("firmware_version_cm5", "1.2.0")
        object.add("firmware_version_stm32", "1.1.0")
      }
    case .started(let sessionID, let recipe):
      object.add("session_id", sessionID)
      object.add("recipe_id", recipe.id)
      object.add("recipe_name", recipe.name)
      object.add("total_stages", recipe.stages.count)
      object.add("estimated_time_minutes", (recipe.estimatedSeconds + 59) / 60)
    case .progress(let progress): object = progress.text
    case .stageChange(let change): object = change.text
    case .complete(let completion): object = completion.text
    case .error(let sessionID, let fault):
      object.add("session_id", sessionID)
      object.add("error_code", fault.code.rawValue)
      object.add("message", fault.message)
      object.add("severity", fault.code.severity.rawValue)
      object.add("action_taken", fault.action)
    case .alert(let alert):
      object.add("alert_type", alert.rawValue)
      object.add("message", alert.message)
      object.add("priority", alert.priority)
    }
    return object.bytes
  }
}

extension CookerEvent.Progress {
  fileprivate var text: JSONWriter {
    var object = JSONWriter()
    object.add("session_id", sessionID)
    object.add("current_stage", stage)
    object.add("stage_name", stageName)
    object.add("total_stages", stageCount)
    object.add("progress_pct", percent)
    object.add("temperature", temperature, digits: 1)
    object.add("target_temperature", targetTemperature, digits: 1)
    object.add("stir_active", stirPattern != "none")
    object.add("stir_pattern", stirPattern)
    object.add("time_remaining_s", remainingSeconds)
    if let sight {
      var status = JSONWriter()
      status.add("class", sight.name)
      status.add("confidence", sight.confidence, digits: 2)
      object.add("cv_status", status)
    }
    return object
  }
}

extension CookerEvent.StageChange {
  fileprivate var text: JSONWriter {
    var previous = JSONWriter()
    previous.add("index", previousIndex)
    previous.add("name", previousName)
    previous.add("duration_s", durationSeconds)
    previous.add("result", "success")
    previous.add("transition", transition.rawValue)
    var next = JSONWriter()
    next.add("index", previousIndex + 1)
    next.add("name", nextName)
    next.add("estimated_duration_s", nextEstimatedSeconds)
    var object = JSONWriter()
    object.add("session_id", sessionID)
    object.add("previous_stage", previous)
    object.add("next_stage", next)
    return object
  }
}

extension CookerEvent.Completion {
  fileprivate var text: JSONWriter {
    var object = JSONWriter()
    object.add("session_id", sessionID)
    object.add("recipe_name", recipeName)
    object.add("total_duration_s", totalSeconds)
    object.add("stages_completed", stagesCompleted)
    object.add("peak_temperature", peakTemperature, digits: 1)
    object.add("cv_transitions", cameraTransitions)
    object.add("timer_transitions", timerTransitions)
    return object
  }
}
