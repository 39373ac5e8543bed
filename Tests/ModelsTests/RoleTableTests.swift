import Models
import Testing

@Suite struct RoleTableTests {
  @Test func `By default viewers do not get a robot's configuration, everyone gets all else, and commands are left to their dialects`()
    throws
  {
    let table = RoleTable.standard
    for role in Permission.allCases {
      for type in OHT50EventType.allCases {
        let isConfiguration = type.rawValue.hasPrefix("config.")
        #expect(table.permits(role, event: type.eventType) == (!isConfiguration || role != .watch), "\(role) \(type)")
      }
      for type in ["cooking:progress", "telemetry:datapoints", "reefnet:alarm", "alarm:raised", "whatever"] {
        #expect(table.permits(role, event: try EventType(type)))
      }
      #expect(table.permits(role, command: .emergencyStop) == nil)
    }
    #expect(table.audience(of: try EventType("config.updated")) == RoleSet([.operate, .own, .administer]))
    #expect(table.audience(of: try EventType("mission.started")) == .everyone)
  }

  @Test func `A line takes the place of the default for it, and of no other`() throws {
    let table = try RoleTable(
      parsing: """
        # Who sees what.
        oht50 viewer events safety.* mission.* !mission.progress
        oht50 operator events *   # all
        oht50 viewer commands emergency_stop
        epicura owner commands * !cooking:stop
        webmacs viewer readings temperature pressure.*
        """)
    let permits = { (role: Permission, type: String) in table.permits(role, event: try EventType(type)) }
    #expect(try permits(.watch, "safety.estop") && permits(.watch, "mission.started") && !permits(.watch, "mission.progress"))
    #expect(try !permits(.watch, "telemetry.realtime") && permits(.operate, "config.updated") && permits(.watch, "cooking:progress"))
    #expect(table.permits(.watch, command: .emergencyStop) == true && table.permits(.operate, command: .emergencyStop) == nil)
    #expect(table.permits(.own, command: try EventType("cooking:stop")) == false)
    #expect(table.permits(.own, command: try EventType("cooking:start")) == true)
    let readings = table.line(.webmacs, .watch, .readings)
    #expect(readings?.permits("temperature") == true && readings?.permits("pressure.1") == true && readings?.permits("humidity") == false)
  }

  @Test(arguments: [
    ("oht50 viewer events", "line 1 has too few words"), ("\n\nrobots viewer events *", "line 3 has the dialect 'robots', which is none"),
    ("oht50 guest events *", "has the role 'guest', which is none: write one of viewer, operator, owner, admin"),
    ("oht50 viewer event *", "has the subject 'event', which is none: write one of events, commands, readings"),
    ("oht50 viewer events **", "has the pattern '**': write a name"), ("oht50 viewer events !", "has the pattern ''"),
    ("oht50 viewer events a*b", "has the pattern 'a*b'"), ("oht50 viewer events con/fig", "matches no event type"),
    ("oht50 viewer events cooking:*", "which is not of oht50 but of epicura: write it into a line of epicura"),
    ("epicura owner commands emergency_stop", "which is not of epicura but of oht50"),
    ("oht50 viewer events *\noht50 viewer events config.*", "line 2 says what line 1 says, of oht50 viewer events"),
  ])
  func `What is wrong in a table is told with its line and the remedy`(text: String, told: String) {
    let error = #expect(throws: RoleTableError.self) { try RoleTable(parsing: text) }
    #expect(error?.description.contains(told) == true, "\(error?.description ?? "")")
  }
}
