import Foundation
import Models

/// One recipe being cooked, from its first stage to its end.
struct CookingSession: Sendable {
  let id: String
  private let recipe: Recipe
  /// What will go wrong, and after how many seconds of cooking.
  private var fault: (at: Double, what: CookerFault)?
  private var stage = 0
  private var stageSeconds = 0.0
  /// How long the stage really takes.
  private var stageLength: Double
  private var totalSeconds = 0.0
  private var temperature = 24.0
  private var peakTemperature = 24.0
  private var cameraTransitions = 0
  private var timerTransitions = 0
  private var cameraWorks = true
  private(set) var hasEnded = false
  private(set) var hasFailed = false

  init(_ recipe: Recipe, rates: EpicuraCooker.Rates, random: inout SeededGenerator) {
    self.recipe = recipe
    let digits = String(random.next(), radix: 16)
    id = "session-" + String(repeating: "0", count: 16 - digits.count) + digits
    stageLength = Self.length(of: recipe.stages[0], random: &random)
    let isCritical = random.chance(rates.critical)
    if isCritical || random.chance(rates.warning) {
      let codes = EpicuraErrorCode.allCases.filter { ($0.severity == .critical) == isCritical }
      let moment = Double(recipe.estimatedSeconds) * .random(in: 0.1...0.8, using: &random)
      fault = codes.randomElement(using: &random).map { (moment, CookerFault($0)) }
    }
  }

  /// Between a sixth less and a quarter more than estimated.
  private static func length(of stage: Recipe.Stage, random: inout SeededGenerator) -> Double {
    Double(stage.estimatedSeconds) * .random(in: 0.85...1.25, using: &random)
  }

  mutating func advance(seconds: Double, random: inout SeededGenerator) -> [CookerEvent] {
    totalSeconds += seconds
    stageSeconds += seconds
    heat(seconds, random: &random)
    var events: [CookerEvent] = []
    if let fault, fault.at <= totalSeconds {
      self.fault = nil
      events.append(suffer(fault.what))
    }
    while !hasEnded, stageSeconds >= stageLength { events.append(finishStage(random: &random)) }
    if !hasEnded { events.append(.progress(progress(random: &random))) }
    return events
  }

  /// The pan follows its target with a time constant of 40 s, and the thermometer is never quite still.
  private mutating func heat(_ seconds: Double, random: inout SeededGenerator) {
    let target = recipe.stages[stage].targetTemperature
    temperature = target + (temperature - target) * exp(-seconds / 40) + .random(in: -1.5...1.5, using: &random)
    peakTemperature = max(peakTemperature, temperature)
  }

  private mutating func suffer(_ fault: CookerFault) -> CookerEvent {
    if fault.code == .overTemperature {
      temperature = 262
      peakTemperature = max(peakTemperature, temperature)
    }
    if fault.code == .cvFailure { cameraWorks = false }
    if fault.isCritical { (hasEnded, hasFailed) = (true, true) }
    return .error(sessionID: id, fault)
  }

  private mutating func finishStage(random: inout SeededGenerator) -> CookerEvent {
    let finished = recipe.stages[stage]
    let transition: CookerEvent.Transition = cameraWorks && !finished.classes.isEmpty ? .camera : .timer
    if transition == .camera { cameraTransitions += 1 } else { timerTransitions += 1 }
    guard stage + 1 < recipe.stages.count else { return complete() }
    let duration = stageLength
    stage += 1
    stageSeconds -= duration
    stageLength = Self.length(of: recipe.stages[stage], random: &random)
    return .stageChange(
      .init(
        sessionID: id, previousIndex: stage, previousName: finished.name, durationSeconds: Int(duration), transition: transition,
        nextName: recipe.stages[stage].name, nextEstimatedSeconds: recipe.stages[stage].estimatedSeconds))
  }

  private mutating func complete() -> CookerEvent {
    hasEnded = true
    return .complete(
      .init(
        sessionID: id, recipeName: recipe.name, totalSeconds: Int(totalSeconds - (stageSeconds - stageLength)),
        stagesCompleted: recipe.stages.count, peakTemperature: peakTemperature, cameraTransitions: cameraTransitions,
        timerTransitions: timerTransitions))
  }

  private func progress(random: inout SeededGenerator) -> CookerEvent.Progress {
    let current = recipe.stages[stage]
    let part = stageSeconds / stageLength
    let before = recipe.stages[..<stage].reduce(0) { $0 + $1.estimatedSeconds }
    let done = (Double(before) + Double(current.estimatedSeconds) * part) / Double(recipe.estimatedSeconds)
    var sight: CookerEvent.Progress.Sight?
    if cameraWorks, !current.classes.isEmpty {
      let index = min(Int(part * Double(current.classes.count)), current.classes.count - 1)
      sight = .init(name: current.classes[index], confidence: .random(in: 0.6...0.98, using: &random))
    }
    return .init(
      sessionID: id, stage: stage + 1, stageName: current.name, stageCount: recipe.stages.count, percent: min(99, Int(done * 100)),
      temperature: temperature, targetTemperature: current.targetTemperature, stirPattern: current.stirPattern,
      remainingSeconds: Int(stageLength - stageSeconds), sight: sight)
  }
}
