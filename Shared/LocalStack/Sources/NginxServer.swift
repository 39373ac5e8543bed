/// nginx in front of the replicas of gateway, API and signaling, with the web page.
package struct NginxServer: StackPart {
  package let host = "127.0.0.1"
  package let port: Int
  let launch: Launch
  let remedy = "See whether the port is taken, then start it anew."

  /// - Parameters:
  ///   - gateways: `host:port` of each replica.
  ///   - apis: the same of the API's.
  ///   - signaling: the same of the signaling broker's.
  ///   - admins: every replica's name, and the `host:port` of its metrics.
  init(
    folder: StackFolder, port: Int, gateways: [String], apis: [String], signaling: [String], admins: [(name: String, address: String)]
  ) throws {
    self.port = port
    let name = StackServer.nginx.rawValue
    let home = try folder.makePrivate(name)
    let replicas = "\(home)/replicas.json"
    try folder.writePrivate("{\"replicas\":[\(admins.map { "\"\($0.name)\"" }.joined(separator: ","))]}", to: replicas)
    let site = try DeployFiles.render(
      "nginx/martlet.conf.template",
      [
        "MARTLET_LISTEN": "\(host):\(port) backlog=4096", "MARTLET_ACCESS_LOG": folder.log("nginx-access"), "MARTLET_ERROR_LOG": "stderr",
        "MARTLET_GATEWAYS": Self.upstream(gateways), "MARTLET_APIS": Self.upstream(apis), "MARTLET_SIGNALING": Self.upstream(signaling),
        "MARTLET_DASHBOARD": try DeployFiles.dashboard(), "MARTLET_REPLICAS": replicas,
        "MARTLET_METRICS": admins.map { "location = /metrics/\($0.name) { proxy_pass http://\($0.address)/metrics; }" }
          .joined(separator: "\n    "),
      ])
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "  \($0)_temp_path \(home)/\($0);" }
    let main = """
      # Workers must get into the stack's folder.
      \(ServerAccount.isRoot ? "user root;" : "")
      daemon off;
      pid \(home)/nginx.pid;
      error_log stderr error;
      worker_processes 1;
      worker_shutdown_timeout 5s;
      events { worker_connections 32768; }
      http {
      \(temporary.joined(separator: "\n"))
      \(site)
      }
      """
    try folder.writePrivate(main + "\n", to: "\(home)/nginx.conf")
    launch = Launch(
      name: name, command: ["nginx", "-e", "stderr", "-p", home, "-c", "\(home)/nginx.conf"], folder: home, log: folder.log(name),
      stopSignal: .quit)
  }

  /// An upstream cannot be empty; where there is no replica, every request to it is answered as if it were down.
  private static func upstream(_ replicas: [String]) -> String {
    replicas.isEmpty ? "server 127.0.0.1:9 down;" : replicas.map { "server \($0) max_fails=1 fail_timeout=2s;" }.joined(separator: "\n  ")
  }

  /// The base address of the API: `http://127.0.0.1:8080/api`.
  package var apiURL: String { "http://\(host):\(port)/api" }

  /// The base address for apps: `ws://127.0.0.1:8080`.
  package var url: String { "ws://\(host):\(port)" }

  /// The web page's address.
  package var pageURL: String { "http://\(host):\(port)/" }

  /// The web page is files, which nginx has by itself.
  func probe() async throws {
    let status = try await Tool.run(
      ["curl", "--silent", "--max-time", "2", "--output", "/dev/null", "--write-out", "%{http_code}", pageURL],
      limit: .seconds(5))
    guard status == "200" else { throw LocalStackError(.toolFailed, part: launch.name, "It answered \(status) instead of the web page.") }
  }
}
