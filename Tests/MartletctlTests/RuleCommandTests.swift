import Foundation
import LocalStack
import Subprocess
import Testing

@Suite(.timeLimit(.minutes(2))) struct `Commands for rules` {
  private static let accounts = """
    users: [{id: demo, role: admin, password_file: demo.password}]
    appliances: [{id: EPIC-001, owner: demo}]
    rules:
      - id: hot
        name: "Oil: too hot"
        appliances: [EPIC-001]
        when: {metric: t, operator: ">", value: 80, clear: 70.5}
        hours: {from: 00:00, until: "23:59"}
        actions: {alarm: true}
      - {id: mute, when: {no_data_seconds: 60}}

    """

  private func withRules(_ body: (CommandFixture) async throws -> Void) async throws {
    try await CommandFixture.run([.postgres, .redis, .mosquitto], services: [MartletService.Plan("api")]) { fixture in
      let folder = fixture.stack.folder.path
      try Self.accounts.write(toFile: "\(folder)/accounts.yaml", atomically: true, encoding: .utf8)
      try "a long password".write(toFile: "\(folder)/demo.password", atomically: true, encoding: .utf8)
      let applied = try await fixture.martletctl("apply", "\(folder)/accounts.yaml")
      try #require(applied.status == .exited(0), "\(applied)")
      #expect(applied.output.contains("+ rule hot\n+ rule mute\n"))
      let login = try await fixture.martletctl("login", "demo", input: "a long password\n")
      try #require(login.status == .exited(0), "\(login)")
      try await body(fixture)
    }
  }

  @Test func `apply makes rules, and names what is wrong with one by its place`() async throws {
    try await withRules { fixture in
      #expect(try await fixture.martletctl("apply", "\(fixture.stack.folder.path)/accounts.yaml").output == "nothing to change\n")
      let wrong = """
        rules:
          - {id: a, when: {metric: t, operator: ">", value: 5, clear: 6}}
          - {id: b, appliances: ["EPIC-*", EPIC-404], when: {no_data_seconds: 5}}
          - {id: c, when: {metric: t, operator: ">", value: .nan}}
          - {id: d, when: {a: &a [x, x, x, x, x, x, x, x], b: &b [*a, *a, *a, *a, *a, *a, *a, *a], c: &c [*b, *b, *b, *b, *b, *b, *b, *b],
              d: &d [*c, *c, *c, *c, *c, *c, *c, *c], e: [*d, *d, *d, *d, *d, *d, *d, *d]}}
        """
      let refused = try await fixture.martletctl("apply", "-", input: wrong)
      #expect(refused.status == .exited(65))
      #expect(refused.errors.contains("rules[0].when.clear: contradicts 'value'"), "\(refused.errors)")
      #expect(refused.errors.contains("rules[2].when.value: must be a number"), "\(refused.errors)")
      #expect(refused.errors.contains("rules[3]: A rule has at most 16384 bytes"), "\(refused.errors)")
      let unknown = try await fixture.martletctl(
        "apply", "-", input: #"rules: [{id: b, appliances: ["EPIC-*", EPIC-404], when: {no_data_seconds: 5}}]"#)
      #expect(unknown.status == .exited(65) && unknown.errors.contains("rules[0].appliances[1]: there is no appliance “EPIC-404”"))
      let changed = try await fixture.martletctl("apply", "-", input: "rules: [{id: mute, when: {no_data_seconds: 90}}]")
      #expect(changed.output == "~ rule mute\n1 change made\n")
    }
  }

  @Test func `A rule and the sensor that it names come in one file or not at all`() async throws {
    try await withRules { fixture in
      let laboratory = "appliances: [{id: LAB-1, owner: demo, dialect: webmacs, sensors: [oven-1]}]\n"
      func rule(_ metric: String) -> String {
        "rules: [{id: oven, appliances: [LAB-1], when: {metric: \(metric), operator: '>', value: 250}}]"
      }
      let refused = try await fixture.martletctl("apply", "-", input: laboratory + rule("oven-2"))
      #expect(refused.status != .exited(0), "\(refused)")
      #expect(refused.errors.contains("Rule 'oven': 'when.metric' names the sensor 'oven-2'"), "\(refused)")
      #expect(try await fixture.stack.postgres.query("SELECT count(*) FROM appliances WHERE id = 'LAB-1'") == "0")
      let applied = try await fixture.martletctl("apply", "-", input: laboratory + rule("oven-1"))
      #expect(applied.status == .exited(0) && applied.output.contains("+ rule oven\n"), "\(applied)")
    }
  }

  @Test func `rules are listed, shown, checked, replaced and removed through the API`() async throws {
    try await withRules { fixture in
      #expect(try await fixture.martletctl("rules").output.contains("Oil: too hot"))
      let shown = try await fixture.martletctl("rules", "show", "hot")
      #expect(shown.output.contains(#""hours":{"from":"00:00","until":"23:59"}"#) && shown.output.contains("70.5"), "\(shown)")
      let draft = #"{"id":"hot","when":{"metric":"t","operator":">","value":90}}"#
      #expect(try await fixture.martletctl("rules", "check", "-", input: draft).output == "rule hot is well\n")
      #expect(try await fixture.martletctl("rules", "put", "-", input: draft).output == "rule hot counts from now on\n")
      let wrong = try await fixture.martletctl("rules", "put", "-", input: #"{"id":"hot","when":{"metric":"t","operator":">"}}"#)
      #expect(wrong.status == .exited(65) && wrong.errors.contains("'when.value' is missing"), "\(wrong)")
      let unknown = try await fixture.martletctl(
        "rules", "check", "-", input: #"{"id":"x","appliances":["EPIC-404"],"when":{"no_data_seconds":5}}"#)
      #expect(unknown.status == .exited(1) && unknown.errors.contains("EPIC-404"), "\(unknown)")
      #expect(try await fixture.martletctl("rules", "delete", "hot").status == .exited(0))
      #expect(try await fixture.martletctl("rules", "show", "hot").status == .exited(1))
    }
  }

  @Test func `alarms and firings are listed, and an alarm is acknowledged`() async throws {
    try await withRules { fixture in
      _ = try await fixture.stack.postgres.query(
        """
        INSERT INTO rule_firings (rule_id, appliance_id, metric, value, severity, fired_at) VALUES ('hot', 'EPIC-001', 't', 81, 'warning', now());
        INSERT INTO alarms (appliance_id, source, name, severity, metric, value, raised_at, updated_at)
        VALUES ('EPIC-001', 'rule:hot', 'Oil: too hot', 'warning', 't', 81, now(), now());
        """)
      #expect(try await fixture.martletctl("firings", "EPIC-001").output.contains("hot   warning   t       81"))
      #expect(try await fixture.martletctl("alarms").output.contains("rule:hot"))
      #expect(try await fixture.martletctl("acknowledge", "EPIC-001", "1").output == "alarm 1 is acknowledged by demo\n")
      #expect(try await fixture.martletctl("alarms", "EPIC-001", "--json").output.contains(#""acknowledged_by":"demo""#))
    }
  }

  @Test func `backtest runs a stored rule or a draft over stored events`() async throws {
    try await withRules { fixture in
      _ = try await fixture.stack.postgres.query(
        """
        SELECT make_event_partitions('2026-02-14', '2026-02-14');
        INSERT INTO events (received_at, log_seq, shard, appliance_id, type, timestamp, late, data)
        SELECT timestamptz '2026-02-14T12:00:00Z' + n * interval '1 s', 0, 0, 'EPIC-001', 'telemetry',
          timestamptz '2026-02-14T12:00:00Z' + n * interval '1 s', false, json_build_object('t', n % 100)
        FROM generate_series(0, 299) AS n;
        """)
      let window = ["--from", "2026-02-14T12:01:00Z", "--to", "2026-02-14T12:04:00Z"]
      let table = try await fixture.martletctl("backtest", "hot", window[0], window[1], window[2], window[3])
      #expect(table.status == .exited(0) && table.output.hasSuffix("2 firings, 2 alarms, of which 0 would be open\n"), "\(table)")
      #expect(table.output.contains("2026-02-14T12:01:21Z  EPIC-001   t       81"), "\(table.output)")
      let draft = #"{"id":"d","enabled":false,"when":{"metric":"t","operator":">=","value":50},"for_seconds":30}"#
      let json = try await fixture.martletctl("backtest", "--file", "-", "--json", input: draft)
      let lines = json.output.split(separator: "\n")
      #expect(lines.count == 6, "\(json)")
      #expect(lines.first == #"{"kind":"firing","appliance_id":"EPIC-001","metric":"t","value":79,"fired_at":"2026-02-14T12:01:20Z"}"#)
      #expect(
        lines.last
          == #"{"kind":"alarm","appliance_id":"EPIC-001","raised_at":"2026-02-14T12:04:40Z","cleared_at":null,"raised_count":1}"#)
      let unknown = try await fixture.martletctl("backtest", "none")
      #expect(unknown.status == .exited(1) && unknown.errors.contains("There is no rule 'none'"))
      #expect(try await fixture.martletctl("backtest").status == .exited(64))
    }
  }
}
