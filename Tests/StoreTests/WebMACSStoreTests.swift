import LocalStack
import Models
import PostgresClient
import ServiceLifecycle
import Testing

@testable import Store

@Suite struct WebMACSStoreTests {
  /// Two controllers of one owner, and what belongs to them as the tests need it.
  private static let accounts = """
    INSERT INTO users (id, name) VALUES ('ann', 'Ann'), ('bob', 'Bob');
    INSERT INTO appliances (id, owner_id, dialect, name) VALUES
      ('LAB-1', 'ann', 'webmacs', ''), ('LAB-2', 'ann', 'webmacs', ''), ('EPIC-1', 'ann', 'epicura', '');
    INSERT INTO appliance_shares (appliance_id, user_id) VALUES ('LAB-2', 'bob'), ('EPIC-1', 'bob');
    """

  private func run(_ body: (PostgresServer, PostgresPool) async throws -> Void) async throws {
    try await withMigratedDatabase { postgres, _ in
      _ = try await postgres.query(Self.accounts)
      let pool = PostgresPool(try postgres.configuration(.api), limits: .init(connectionsMax: 4), logger: quiet)
      try await body(postgres, pool)
    }
  }

  @Test func `Readings are taken in of what an enabled plugin reads, for the experiment that is active`() async throws {
    try await run { postgres, pool in
      let (store, lab) = (WebMACSStore(pool), try ApplianceID("LAB-1"))
      // What the gateway may read with its own rights.
      let gateway = WebMACSStore(PostgresPool(try postgres.configuration(.gateway), limits: .init(connectionsMax: 1), logger: quiet))
      for id in ["a", "b", "c"] { #expect(try await store.putSensor(Sensor(id: id, name: id, unit: ""), of: lab)) }
      #expect(try await gateway.settings(of: lab) == ControllerSettings(sensors: [], experimentID: nil))
      #expect(try await store.putPlugin(Plugin(id: "p", name: "", isEnabled: true, sensorIDs: ["a", "b"]), of: lab))
      #expect(try await store.putPlugin(Plugin(id: "q", name: "", isEnabled: false, sensorIDs: ["b", "c"]), of: lab))
      try await store.createExperiment("x", name: "", of: lab)
      #expect(try await gateway.settings(of: lab) == ControllerSettings(sensors: ["a", "b"], experimentID: nil))
      try await store.startExperiment("x", of: lab, now: .now())
      #expect(try await !store.putPlugin(Plugin(id: "q", name: "", isEnabled: true, sensorIDs: ["c"]), of: lab))
      try await store.deletePlugin("p", of: lab)
      #expect(try await gateway.settings(of: lab) == ControllerSettings(sensors: ["c"], experimentID: "x"))
      try await store.stopExperiment("x", of: lab, now: .now())
      #expect(try await gateway.settings(of: lab).experimentID == nil)
      #expect(try await gateway.settings(of: ApplianceID("LAB-404")) == ControllerSettings(sensors: [], experimentID: nil))
    }
  }

  @Test func `Names belong to one controller, and there is a bound to how many it has`() async throws {
    try await run { _, pool in
      let (store, lab, other) = (WebMACSStore(pool), try ApplianceID("LAB-1"), try ApplianceID("LAB-2"))
      _ = try await store.putSensor(Sensor(id: "a", name: "", unit: ""), of: lab)
      func code(_ body: () async throws -> Void) async -> StoreError.Code? {
        await #expect(throws: StoreError.self) { try await body() }?.code
      }
      #expect(await code { _ = try await store.putSensor(Sensor(id: "a", name: "stolen", unit: ""), of: other) } == .alreadyExists)
      #expect(await code { _ = try await store.putSensor(Sensor(id: "z", name: "", unit: ""), of: ApplianceID("EPIC-1")) } == .notFound)
      #expect(await code { _ = try await store.putSensor(Sensor(id: "z\0", name: "", unit: ""), of: lab) } == .invalidAccount)
      #expect(
        await code { _ = try await store.putPlugin(Plugin(id: "p", name: "", isEnabled: true, sensorIDs: ["a"]), of: other) } == .notFound)
      #expect(await code { try await store.deleteSensor("a", of: other) } == .notFound)
      #expect(try await store.sensors(of: lab) == [Sensor(id: "a", name: "", unit: "")])
      #expect(try await store.plugins(of: other).isEmpty, "what was refused was not made")
      try await pool.execute(
        "INSERT INTO sensors (public_id, appliance_id, name, unit) SELECT 's-' || n, 'LAB-1', '', '' FROM generate_series(2, 1000) AS n")
      #expect(await code { _ = try await store.putSensor(Sensor(id: "z", name: "", unit: ""), of: lab) } == .tooMany)
      #expect(try await !store.putSensor(Sensor(id: "a", name: "changed", unit: ""), of: lab), "one that is there can be changed")
    }
  }

  @Test func `The controllers that a user may see are their own, those shared with them, and all for admins`() async throws {
    try await run { _, pool in
      let store = AccountStore(pool)
      let questions: [(user: String, role: UserRole?, limit: Int, answer: [String])] = [
        ("ann", nil, 10, ["LAB-1", "LAB-2"]), ("bob", nil, 10, ["LAB-2"]), ("bob", .admin, 10, ["LAB-1", "LAB-2"]),
        ("bob", .admin, 1, ["LAB-1"]), ("nobody", nil, 10, []),
      ]
      for (user, role, limit, answer) in questions {
        let visible = try await store.appliances(of: .webmacs, visibleTo: user, as: role, limit: limit)
        #expect(visible.map(\.id.rawValue) == answer, "\(user)")
        for appliance in visible {
          #expect(try await store.permission(of: user, as: role, on: appliance.id) == appliance.permission)
        }
      }
    }
  }

  /// 500 sensors with two days of minutes, most of them of other appliances.
  private static let plenty = """
    INSERT INTO sensors (public_id, appliance_id, name, unit) SELECT 's-' || n, 'LAB-1', '', '' FROM generate_series(1, 20) AS n;
    INSERT INTO readings_by_minute
    SELECT CASE WHEN n % 25 = 0 THEN 'LAB-1' ELSE 'OTHER' END, 's-' || (1 + n % 500), timestamptz '2026-02-13T00:00:00Z' + n / 500 * interval '1 minute',
      1, n, n, n, n, timestamptz '2026-02-13T00:00:00Z' + n / 500 * interval '1 minute' FROM generate_series(0, 99999) AS n;
    ANALYZE;
    """

  @Test func `The newest readings are found by looking each sensor up`() async throws {
    try await run { postgres, pool in
      _ = try await postgres.query(Self.plenty)
      let read = "SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables WHERE relname = 'readings_by_minute'"
      let before = try await postgres.query(read)
      let store = WebMACSStore(PostgresPool(try postgres.configuration(.api), limits: .init(connectionsMax: 1), logger: quiet))
      for _ in 0..<8 {
        let latest = try await store.latest(of: [ApplianceID("LAB-1"), ApplianceID("LAB-2")])
        #expect(latest.map(\.sensorID) == ["s-1"] && latest.first?.value == 99_500)
      }
      try await store.pool.execute("SELECT pg_stat_force_next_flush()")
      #expect(try await postgres.query(read) == before)
    }
  }
}
