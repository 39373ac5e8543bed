import Foundation
import LocalStack
import Testing

@Suite(.timeLimit(.minutes(3))) struct HistoryTests {
  private typealias Question = APIFixture.Question
  private static let appliance = "/api/v1/appliances/EPIC-001"

  /// `count` events and readings, one a second from 2026-02-14T12:00:00Z on, of two types, each with a number that no double can hold in `data`.
  private static func seed(_ count: Int, from first: Int = 0) -> String {
    """
    SELECT make_event_partitions('2026-02-14', '2026-02-17');
    INSERT INTO events (received_at, log_seq, shard, appliance_id, type, timestamp, late, data)
      SELECT timestamptz '2026-02-14T12:00:00Z' + n * interval '1 second', 0, 0, 'EPIC-001',
        CASE WHEN n % 10 = 0 THEN 'cooking:stage_change' ELSE 'cooking:progress' END,
        timestamptz '2026-02-14T12:00:00Z' + n * interval '1 second', false,
        ('{"n":' || n || ', "exact":1.100000000000000000001, "text":"a \\"b\\", c"}')::json
      FROM generate_series(\(first), \(first + count - 1)) AS n;
    INSERT INTO readings (received_at, appliance_id, metric, timestamp, value)
      SELECT timestamptz '2026-02-14T12:00:00Z' + n * interval '1 second', 'EPIC-001', 'temperature',
        timestamptz '2026-02-14T12:00:00Z' + n * interval '1 second', n / 2.0
      FROM generate_series(\(first), \(first + count - 1)) AS n;
    INSERT INTO readings_by_minute (appliance_id, metric, minute, count, sum, min, max, last, last_at)
      SELECT 'EPIC-001', 'temperature', date_bin('1 minute', timestamp, timestamptz 'epoch'), count(*), sum(value), min(value), max(value),
        (array_agg(value ORDER BY timestamp DESC))[1], max(timestamp)
      FROM readings WHERE timestamp >= timestamptz '2026-02-14T12:00:00Z' + \(first) * interval '1 second' GROUP BY 3
      ON CONFLICT DO NOTHING;
    """
  }

  /// Every page of a list, with the questions in between.
  private func pages(
    _ fixture: APIFixture, _ path: String, _ token: String, between: (Int) async throws -> Void = { _ in }
  ) async throws -> [APIFixture.Answer] {
    var answers: [APIFixture.Answer] = []
    var cursor: String?
    repeat {
      let separator = path.contains("?") ? "&" : "?"
      let answer = try await fixture.ask(Question(path: cursor.map { "\(path)\(separator)cursor=\($0)" } ?? path, token: token))
      try #require(answer.status == 200, "\(answer.body)")
      answers.append(answer)
      cursor = answer.text("next_cursor")
      try await between(answers.count)
    } while cursor != nil && answers.count < 100
    return answers
  }

  /// One member of every item of every page.
  private func items<Value>(_ answers: [APIFixture.Answer], _ list: String, _ member: String) -> [Value] {
    var values: [Value] = []
    for answer in answers {
      for item in answer.value(list) as? [[String: Any]] ?? [] {
        if let value = item[member] as? Value { values.append(value) }
      }
    }
    return values
  }

  @Test func `Pages lose nothing and repeat nothing while rows arrive, and data is the device's own text`() async throws {
    try await APIFixture.run { fixture in
      _ = try await fixture.stack.postgres.query(Self.seed(250))
      let token = try await fixture.token("guest")
      let answers = try await pages(fixture, Self.appliance + "/events?limit=60", token) { page in
        if page == 2 { _ = try await fixture.stack.postgres.query(Self.seed(50, from: 250)) }
      }
      let ids: [String] = items(answers, "events", "id")
      #expect(ids.count == 300)
      #expect(Set(ids).count == 300)
      let sorted = ids.sorted { $0.localizedStandardCompare($1) == .orderedAscending }
      #expect(ids == sorted)
      #expect(answers[0].body.contains(#""data":{"n":0, "exact":1.100000000000000000001, "text":"a \"b\", c"}"#))

      let newest = try await pages(fixture, Self.appliance + "/events?limit=100&order=newest_first&type=cooking:stage_change", token)
      let stages: [String] = items(newest, "events", "timestamp")
      #expect(stages.count == 30)
      #expect(stages.first == "2026-02-14T12:04:50Z")
    }
  }

  @Test func `Readings come raw or in buckets, and their pages hold the same`() async throws {
    try await APIFixture.run { fixture in
      _ = try await fixture.stack.postgres.query(Self.seed(300))
      let token = try await fixture.token("owner")
      let raw = try await pages(fixture, Self.appliance + "/readings?metric=temperature&limit=77&from=2026-02-14T12:01:00Z", token)
      #expect(items(raw, "readings", "value") == (60..<300).map { Double($0) / 2 })

      let buckets = try await pages(fixture, Self.appliance + "/readings/buckets?metric=temperature&bucket_s=60&limit=2", token)
      #expect(items(buckets, "buckets", "start") == (0..<5).map { "2026-02-14T12:0\($0):00Z" })
      #expect(items(buckets, "buckets", "average") == [14.75, 44.75, 74.75, 104.75, 134.75])
      let narrow = "/readings/buckets?metric=temperature&bucket_s=10&from=2026-02-14T12:00:00Z&to=2026-02-14T12:00:30Z"
      #expect(try await fixture.ask(Question(path: Self.appliance + narrow, token: token)).count("buckets") == 3)
      let wide = try await fixture.ask(Question(path: Self.appliance + "/readings/buckets?metric=temperature&bucket_s=10", token: token))
      #expect((wide.status, wide.text("errors.0.place")) == (400, "bucket_s"))

      let metrics = try await fixture.ask(Question(path: Self.appliance + "/metrics", token: token))
      #expect((metrics.count("metrics"), metrics.text("metrics.0.name")) == (1, "temperature"))
    }
  }

  @Test func `CSV holds everything, whether asked for by header or by parameter`() async throws {
    try await APIFixture.run { fixture in
      _ = try await fixture.stack.postgres.query(Self.seed(2500))
      let token = try await fixture.token("owner")
      let byHeader = Question(path: Self.appliance + "/events", token: token, headers: ["Accept": "text/csv"])
      let events = try await fixture.ask(byHeader)
      #expect(events.headers["content-type"] == "text/csv; charset=utf-8; header=present")
      let lines = events.body.components(separatedBy: "\r\n")
      #expect(lines.count == 2502)
      #expect(lines[0] == "id,timestamp,type,late,data")
      #expect(lines[1].hasSuffix(#","{""n"":0, ""exact"":1.100000000000000000001, ""text"":""a \""b\"", c""}""#), "\(lines[1])")
      let readings = try await fixture.ask(Question(path: Self.appliance + "/readings?metric=temperature&format=csv", token: token))
      #expect(readings.body.components(separatedBy: "\r\n").count == 2502)
      let buckets = try await fixture.ask(
        Question(path: Self.appliance + "/readings/buckets?metric=temperature&bucket_s=3600&format=csv", token: token))
      #expect(buckets.body == "start,count,min,max,average,last\r\n2026-02-14T12:00:00Z,2500,0.0,1249.5,624.75,1249.5\r\n")
      let limited = try await fixture.ask(Question(path: Self.appliance + "/events?format=csv&limit=5", token: token))
      #expect((limited.status, limited.code) == (400, "invalid_parameter"))
      let neither = try await fixture.ask(Question(path: Self.appliance + "/events", token: token, headers: ["Accept": "image/png"]))
      #expect((neither.status, neither.code) == (406, "not_acceptable"))
    }
  }

  @Test func `An export that its client does not read waits for it in the database, not in memory`() async throws {
    try await APIFixture.run(["MARTLET_EXPORTS_MAX": "1"]) { fixture in
      _ = try await fixture.stack.postgres.query(Self.seed(200_000))
      let token = try await fixture.token("owner")
      let script = """
        import json, socket, sys, urllib.request
        host, port, path, token, metrics = sys.argv[1:]
        head = f"GET {path} HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer {token}\\r\\nAccept: text/csv\\r\\n\\r\\n".encode()
        def resident():
            lines = urllib.request.urlopen(metrics).read().decode().splitlines()
            return max(float(line.split()[-1]) for line in lines if line.startswith("process_resident_memory_bytes"))
        before = resident()
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(head)
            slow.recv(1024)
            with socket.create_connection((host, int(port))) as second:
                second.sendall(head)
                status = second.recv(12).split()[1].decode()
            print(status, max(resident() for _ in range(100)) - before < 30_000_000)
        """
      let service = try fixture.stack.service("api-1")
      let output = try await Tool.run([
        "/usr/bin/python3", "-c", script, service.host, String(service.port), Self.appliance + "/events", token,
        "http://\(service.host):\(service.adminPort)/metrics",
      ])
      #expect(output == "429 True")
    }
  }
}
