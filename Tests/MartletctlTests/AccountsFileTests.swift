import Models
import Store
import Testing

@testable import Martletctl

@Suite struct `An accounts file` {
  private func problems(_ text: String) -> [String] {
    do {
      _ = try AccountsFile(parsing: text)
      return []
    } catch {
      return error.problems.map(\.description)
    }
  }

  @Test func `users, appliances, owners and shares are read`() throws {
    let file = try AccountsFile(
      parsing: """
        users:
          - id: demo
          - id: 42
        appliances:
          - id: EPIC-001
            dialect: epicura
            owner: demo
            shared_with: [42, 42, {user: demo2, role: viewer}, {user: demo3}]
          - {id: EPIC-002, owner: "42"}
          - {id: cam-1, owner: demo, dialect: signaling, accepts_unproven: true}
        """)
    #expect(file.users.map(\.user.id) == ["demo", "42"])
    #expect(file.appliances.map(\.appliance.id.rawValue) == ["EPIC-001", "EPIC-002", "cam-1"])
    #expect(file.appliances.map(\.appliance.ownerID) == ["demo", "42", "demo"])
    #expect(file.appliances.map(\.appliance.shares) == [["42": .account, "demo2": .viewer, "demo3": .account], [:], [:]])
    #expect(file.appliances.map(\.appliance.acceptsUnproven) == [false, false, true])
    #expect(file.appliances[1].place == .init(path: "appliances[1]", line: 9))
  }

  @Test func `sensors and plugins of a lab controller are read`() throws {
    let file = try AccountsFile(
      parsing: """
        appliances:
          - id: LAB-1
            dialect: webmacs
            owner: demo
            sensors: [a, {id: b, name: Oven, unit: °C}]
            plugins:
              - {id: p, sensors: [b, a]}
              - {id: q, name: Off, enabled: false}
          - {id: LAB-2, dialect: webmacs, owner: demo, sensors: []}
          - {id: LAB-3, dialect: webmacs, owner: demo}
        """)
    let expected = ControllerSetup(
      sensors: [Sensor(id: "a", name: "a", unit: ""), Sensor(id: "b", name: "Oven", unit: "°C")],
      plugins: [
        Plugin(id: "p", name: "p", isEnabled: true, sensorIDs: ["a", "b"]), Plugin(id: "q", name: "Off", isEnabled: false, sensorIDs: []),
      ])
    #expect(file.appliances.map(\.controller) == [expected, ControllerSetup(sensors: [], plugins: nil), nil])
    #expect(
      problems("appliances: [{id: L, owner: d, sensors: [{nmae: x}], plugins: [{id: p, enabled: maybe}]}]") == [
        "line 1: appliances[0].sensors[0]: “nmae” is not known: did you mean name?",
        "line 1: appliances[0].sensors[0].id: is missing: an id", "line 1: appliances[0].plugins[0].enabled: is neither true nor false",
      ])
  }

  @Test(arguments: ["", "---\n", "users:\nappliances: []\n", "# nothing\n"])
  func `an empty file declares nothing`(_ text: String) throws {
    let file = try AccountsFile(parsing: text)
    #expect(file.users.isEmpty && file.appliances.isEmpty)
  }

  @Test func `every mistake is told, with its path and its line`() {
    let found = problems(
      """
      users:
        - id: demo
        - nmae: guest
        - id: demo
      appliances:
        - id: EPIC 001
          owner: demo
        - id: EPIC-002
          onwer: demo
        - id: EPIC-003
          owner: demo
          dialect: toaster
          shared_with: [demo]
        - id: EPIC-004
          owner: [demo]
          shared_with: guest
          accepts_unproven: maybe
        - {id: EPIC-005, owner: demo, accepts_unproven: true}
      aplliances: []
      """)
    #expect(
      found == [
        "line 19: “aplliances” is not known: did you mean appliances?",
        "line 3: users[1]: “nmae” is not known: did you mean name?",
        "line 3: users[1].id: is missing: a user's id",
        "line 6: appliances[0].id: 'EPIC 001' is no appliance id: "
          + "1 to 64 characters of A-Z a-z 0-9 . _ - are wanted",
        "line 9: appliances[1]: “onwer” is not known: did you mean owner?",
        "line 8: appliances[1].owner: is missing: a user's id",
        "line 12: appliances[2].dialect: “toaster” is not known: one of epicura, webmacs, signaling, reefnet, oht50, generic is wanted",
        "line 13: appliances[2].shared_with: is shared with its own owner “demo”: leave that out",
        "line 15: appliances[3].owner: is not a text: a user's id is wanted",
        "line 16: appliances[3].shared_with: is not a list",
        "line 17: appliances[3].accepts_unproven: is neither true nor false",
        "line 18: appliances[4].accepts_unproven: is for the dialect signaling only",
        "line 4: users[2]: the user “demo” stands already in users[0]",
      ])
  }

  @Test(arguments: [
    ("users: [", 1), ("users:\n\t- id: a", 2), ("a: b: c", 1), ("users:\n  - id: a\n    id: b", 3), ("*nothing", 1),
  ])
  func `what is not YAML is told with its line`(_ text: String, _ line: Int) {
    let found = problems(text)
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("line ") == true, "\(found)")
  }

  @Test(arguments: [
    "[]", "demo", "users: demo", "users: {id: demo}", "users: [[id]]",
    "appliances: [{id: a, owner: b, shared_with: [{user: c, role: admin}]}]",
    "appliances: [{id: a, owner: b, shared_with: [{role: viewer}]}]", "users: [{id: \"a\\u0000b\"}]", "appliances: [1]",
  ])
  func `what has the wrong shape is refused`(_ text: String) {
    #expect(!problems(text).isEmpty)
  }

  @Test func `a thousand mistakes are counted, not all told`() {
    let text = "users:\n" + String(repeating: "  - nobody\n", count: 1000)
    let error = AccountsFileError(problems: (0..<1000).map { .init(place: .init(path: "users[\($0)]", line: nil), text: "is wrong") })
    #expect(problems(text).count == 1000)
    #expect(error.description.split(separator: "\n").count == 21)
    #expect(error.description.hasSuffix("\nand 980 more"))
  }
}
