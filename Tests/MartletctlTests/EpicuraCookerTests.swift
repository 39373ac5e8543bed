import MQTTClient
import Foundation
import Models
import Testing

@testable import Martletctl

@Suite struct `A simulated cooker` {
  /// What a cooker tells in `steps` steps of `seconds` each.
  private func story(
    seed: UInt64, rates: EpicuraCooker.Rates = .init(), steps: Int = 2000, seconds: Double = 20, sessions: Int = .max
  ) -> [CookerEvent] {
    var cooker = EpicuraCooker(seed: seed, rates: rates)
    var events = cooker.powerOn()
    for _ in 0..<steps where cooker.sessionsEnded < sessions { events += cooker.advance(seconds: seconds) }
    return events + cooker.powerOff()
  }

  private func types(_ events: [CookerEvent]) -> [String] { events.map(\.type) }

  @Test func `the same seed tells the same story, another seed another`() {
    #expect(story(seed: 7) == story(seed: 7))
    #expect(story(seed: 7) != story(seed: 8))
  }

  @Test(arguments: UInt64(0)..<8, [2.0, 20, 400])
  func `a session without faults goes through every stage in order`(_ seed: UInt64, _ seconds: Double) throws {
    let rates = EpicuraCooker.Rates(warning: 0, critical: 0, alert: 0)
    let events = story(seed: seed, rates: rates, steps: 10_000, seconds: seconds, sessions: 1)
    guard case .started(let id, let recipe) = try #require(events.first { $0.type == "cooking:started" }) else { return }
    #expect(
      types(events.filter { $0.type != "cooking:progress" }) == ["appliance:status", "appliance:status", "cooking:started"]
        + Array(repeating: "cooking:stage_change", count: recipe.stages.count - 1)
        + ["cooking:complete", "appliance:status", "appliance:status"])
    var stage = 1
    var percent = 0
    for event in events {
      switch event {
      case .progress(let progress):
        #expect(progress.sessionID == id && progress.stage == stage && progress.stageName == recipe.stages[stage - 1].name)
        #expect((percent...99).contains(progress.percent) && progress.remainingSeconds >= 0)
        percent = progress.percent
      case .stageChange(let change):
        #expect(change.previousIndex == stage && change.nextName == recipe.stages[stage].name)
        stage += 1
      case .complete(let completion):
        #expect(completion.cameraTransitions + completion.timerTransitions == recipe.stages.count)
        #expect(Double(completion.totalSeconds) >= Double(recipe.estimatedSeconds) * 0.85 - 1)
        #expect(Double(completion.totalSeconds) <= Double(recipe.estimatedSeconds) * 1.25 + 1)
        #expect((90...260).contains(completion.peakTemperature))
      default: break
      }
    }
    #expect(stage == recipe.stages.count)
  }

  @Test func `a critical error ends the session, and the cooker says error until the next one`() throws {
    let events = story(seed: 3, rates: .init(warning: 0, critical: 1, alert: 0))
    let errors = events.indices.filter { events[$0].type == "cooking:error" }
    #expect(errors.count > 3)
    for index in errors.dropLast() {
      guard case .error(_, let fault) = events[index] else { return }
      #expect(fault.isCritical)
      #expect(events[index + 1] == .status(.error))
      #expect(events[index + 2] == .status(.online))
      #expect(events[index + 3] == .status(.cooking))
    }
    #expect(!types(events).contains("cooking:complete"))
  }

  @Test func `after a warning the session goes on to its end`() {
    let events = story(seed: 4, rates: .init(warning: 1, critical: 0, alert: 1), sessions: 10)
    let all = types(events)
    #expect(all.count { $0 == "cooking:error" } == 10)
    #expect(all.count { $0 == "cooking:complete" } == 10)
    #expect(all.count { $0 == "appliance:alert" } == 10)
  }

  @Test func `by default errors and alerts happen sometimes`() {
    let events = story(seed: 5, steps: 100_000, sessions: 200)
    let errors = types(events).count { $0 == "cooking:error" }
    let alerts = types(events).count { $0 == "appliance:alert" }
    #expect((20...120).contains(errors) && (30...100).contains(alerts))
  }

  @Test func `a cooker that is off tells nothing`() {
    var cooker = EpicuraCooker(seed: 1)
    #expect(cooker.advance(seconds: 100) == [])
    #expect(cooker.powerOn() == [.status(.online)])
    #expect(cooker.powerOff() == [.status(.offline)])
    #expect(cooker.advance(seconds: 100) == [])
  }

  @Test func `every event has the members of the document's example, in its order, and a topic`() throws {
    let appliance = try ApplianceID("EPIC-001")
    var seen: Set<String> = []
    for event in story(seed: 6, rates: .init(warning: 0.5, critical: 0.3, alert: 1), steps: 1500, seconds: 60) {
      let publication = try SimulatedCooker.publication(event, of: appliance, at: .init(microseconds: 0))
      let topic = try #require(EpicuraTopic(publication.topic))
      #expect(topic.kind == .event(try EventType(event.type)))
      let fixture = try JSONObject(parsing: Array(Data(contentsOf: Self.fixture(event.type))))
      let expected = try #require(fixture.object("data"))
      let data = try JSONObject(parsing: event.data)
      let isBare = expected.members.count > data.members.count
      #expect(Array(expected.members.map(\.name).prefix(isBare ? data.members.count : .max)) == data.members.map(\.name))
      #expect(!isBare || event.type == "appliance:status" || event.type == "cooking:progress")
      if event.type != "appliance:status" {
        #expect(!publication.isRetained)
        #expect(try Event(parsing: publication.payload).data == event.data)
      }
      seen.insert(event.type)
    }
    #expect(seen.count == 7)
  }

  private static func fixture(_ type: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/epicura/\(type.replacing(":", with: ".")).json")
  }
}
