// swift-tools-version: 6.2
import PackageDescription

// From the bottom: C modules, values (Models), clients of one C library or protocol each, ports (EventLog, Store, Access), services,
// executables. `Tests/HouseRulesTests` refuses an import that points upwards.

let nio: [Target.Dependency] = [.product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio")]
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let inMemoryLogging = Target.Dependency.product(name: "InMemoryLogging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let nioHTTP = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let tokens = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")

/// A library that several services stand on.
func shared(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Shared/\(name)", resources: resources)
}

/// A deployable service: its library, and the executable that runs it.
func service(
  _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], main: [Target.Dependency] = ["ServiceRuntime"]
) -> [Target] {
  [
    .target(name: name, dependencies: dependencies, path: "Services/\(name)/Sources", exclude: exclude),
    .executableTarget(name: "\(name)Main", dependencies: [.byName(name: name)] + main, path: "Services/\(name)/Main"),
  ]
}

func tests(of name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
  .testTarget(name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, path: "Tests/\(name)Tests", exclude: exclude)
}

let package = Package(
  name: "martlet",
  // For apps that use `MartletClient`; the services run on Linux.
  platforms: [.macOS(.v15), .iOS(.v18)],
  products: [
    .library(name: "MartletClient", targets: ["MartletClient"]),
    .executable(name: "gateway", targets: ["GatewayMain"]),
    .executable(name: "ingest", targets: ["IngestMain"]),
    .executable(name: "persister", targets: ["PersisterMain"]),
    .executable(name: "rules", targets: ["RulesMain"]),
    .executable(name: "api", targets: ["APIMain"]),
    .executable(name: "signaling", targets: ["SignalingMain"]),
    .executable(name: "martletctl", targets: ["MartletctlMain"]),
    .executable(name: "localstack", targets: ["LocalStackMain"]),
    .executable(name: "bench", targets: ["Bench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    // Traits that would bring all of Foundation, and with it 40 MB, into every image are off (deploy/decisions/0033).
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
  ],
  targets: [
    // C modules: each is imported by its one client.
    .systemLibrary(name: "CHiredis", path: "Shared/CHiredis"),
    .systemLibrary(name: "CLibpq", path: "Shared/CLibpq", pkgConfig: "libpq"),
    .systemLibrary(name: "CMosquitto", path: "Shared/CMosquitto"),
    .systemLibrary(name: "COpenSSL", path: "Shared/COpenSSL"),

    // Values and pure code.
    shared("Models"),
    tests(of: "Models"),
    shared("Backoff"),
    tests(of: "Backoff"),
    shared("ServerURL"),
    tests(of: "ServerURL"),
    shared("TrustedProxies"),
    tests(of: "TrustedProxies"),
    shared("OutboundGate", ["ServiceRuntime", "TrustedProxies"]),
    tests(of: "OutboundGate", ["ServiceRuntime", "TrustedProxies"]),
    shared("Digests", ["COpenSSL"]),
    tests(of: "Digests"),
    shared("RuleEvaluation", ["Models"]),
    tests(of: "RuleEvaluation", ["Models"]),

    // Clients and transports.
    shared(
      "RedisClient", nio + ["Backoff", "CHiredis", "ServerURL", nioSSL, lifecycle, logging]),
    tests(of: "RedisClient", nio + ["LocalStack", .product(name: "NIOEmbedded", package: "swift-nio"), lifecycle, logging]),
    shared("PostgresClient", ["Backoff", "CLibpq", "COpenSSL", lifecycle, logging]),
    tests(of: "PostgresClient", ["LocalStack", lifecycle, logging]),
    shared("MQTTClient", ["Backoff", "CMosquitto", "ServerURL", lifecycle, logging]),
    tests(of: "MQTTClient", ["LocalStack", lifecycle, logging, subprocess]),
    shared("WebSocketTransport", nio + ["Digests", "TrustedProxies", lifecycle, logging]),
    tests(of: "WebSocketTransport", nio + ["TrustedProxies", "WebSocketTestClient", lifecycle, logging]),

    // For apps: no C module of ours is below it.
    shared("MartletClient", nio + ["Models", "ServerURL", asyncHTTPClient, nioHTTP, nioWebSocket, nioSSL]),
    tests(of: "MartletClient", nio + ["LocalStack", "Models", asyncHTTPClient, nioSSL, subprocess]),
    .executableTarget(name: "AnyApp", dependencies: ["MartletClient"], path: "deploy/examples/AnyApp"),

    // Ports.
    shared("EventLog", ["Digests", "Models", "RedisClient", .product(name: "NIOCore", package: "swift-nio"), lifecycle, logging]),
    .target(name: "ForwardingLog", dependencies: ["EventLog", "Models"], path: "Tests/ForwardingLog"),
    tests(of: "EventLog", nio + ["Models", "RedisClient", "LocalStack", lifecycle, logging]),
    shared("Store", ["Models", "Digests", "PostgresClient", "RuleEvaluation"], resources: [.embedInCode("Migrations")]),
    tests(of: "Store", ["Models", "PostgresClient", "RuleEvaluation", "LocalStack", logging]),
    shared(
      "LogConsumer", ["Backoff", "EventLog", "Models", "PostgresClient", "ServiceRuntime", "Store", lifecycle, logging, metrics]),
    tests(of: "LogConsumer", ["EventLog", "Models", "Store"]),
    shared("AuditTrail", ["Backoff", "Models", "RedisClient", lifecycle, logging, metrics]),
    tests(of: "AuditTrail", ["Models"]),
    shared("Commands", ["Backoff", "EventLog", "Models"]),
    tests(of: "Commands", ["EventLog", "ForwardingLog", "Models"]),
    shared(
      "Access",
      nio + ["Backoff", "Digests", "Models", "ServiceRuntime", "Store", tokens, asyncHTTPClient, nioHTTP, lifecycle, logging]),
    tests(
      of: "Access",
      nio + [
        "LocalStack", "Models", "PostgresClient", "ServiceRuntime", "Store", tokens, lifecycle, logging, subprocess,
        .product(name: "Hummingbird", package: "hummingbird"),
      ]),

    // One way to be a service, and one way to start things on this machine.
    shared(
      "ServiceRuntime",
      nio + [
        .product(name: "Hummingbird", package: "hummingbird"), .product(name: "Configuration", package: "swift-configuration"), lifecycle,
        signals, logging, metrics,
      ]),
    .executableTarget(
      name: "ServiceRuntimeProbe", dependencies: ["ServiceRuntime", lifecycle, logging, metrics], path: "Tests/ServiceRuntimeProbe"),
    tests(of: "ServiceRuntime", ["ServiceRuntimeProbe", .product(name: "NIOCore", package: "swift-nio"), logging, metrics, subprocess]),
    .target(name: "LocalStack", dependencies: [subprocess, signals], path: "Shared/LocalStack/Sources"),
    .executableTarget(name: "LocalStackMain", dependencies: ["LocalStack", arguments], path: "Shared/LocalStack/Main"),
    tests(of: "LocalStack", ["LocalStackMain", subprocess]),
  ]
    + service("Ingest", ["Commands", "EventLog", "Models", "MQTTClient", "RedisClient", "ServiceRuntime", lifecycle, logging, metrics])
    + service(
      "Gateway",
      nio + [
        "Access", "AuditTrail", "Backoff", "Commands", "EventLog", "Models", "PostgresClient", "RedisClient", "ServiceRuntime", "Store",
        "TrustedProxies", "WebSocketTransport", lifecycle, logging,
      ])
    + [
      .target(name: "WebSocketTestClient", dependencies: nio, path: "Tests/WebSocketTestClient"),
      tests(
        of: "Gateway",
        nio + [
          "Access", "Commands", "EventLog", "ForwardingLog", "LocalStack", "Models", "RedisClient", "ServiceRuntime", "Store",
          "WebSocketTransport", "WebSocketTestClient", lifecycle, logging, inMemoryLogging,
        ]),
    ]
    + [
      tests(
        of: "Ingest",
        [
          "Commands", "EventLog", "ForwardingLog", "IngestMain", "LocalStack", "MartletctlMain", "Models", "MQTTClient", "RedisClient",
          "ServiceRuntime", nio[1], lifecycle, logging, subprocess,
        ])
    ]
    + service(
      "Persister",
      [
        "Backoff", "EventLog", "LogConsumer", "Models", "PostgresClient", "RedisClient", "ServiceRuntime", "Store", nio[0], lifecycle,
        logging,
        metrics,
      ])
    + [
      tests(
        of: "Persister",
        [
          "EventLog", "LocalStack", "LogConsumer", "Models", "PostgresClient", "RedisClient", "ServiceRuntime", "Store", nio[1], lifecycle,
          logging,
          subprocess,
        ])
    ]
    + service(
      "API",
      nio + [
        "Access", "AuditTrail", "Commands", "Digests", "EventLog", "Models", "OutboundGate", "PostgresClient", "RedisClient",
        "RuleEvaluation",
        "ServiceRuntime", "Store", "TrustedProxies", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        lifecycle, logging, metrics,
      ])
    + service(
      "Signaling",
      nio + [
        "Access", "AuditTrail", "Backoff", "Digests", "EventLog", "Models", "PostgresClient", "RedisClient", "ServiceRuntime", "Store",
        "TrustedProxies", "WebSocketTransport", lifecycle, logging, metrics,
      ])
    + [
      tests(
        of: "Signaling",
        ["Access", "AuditTrail", "LocalStack", "Models", "PostgresClient", "RedisClient", "ServiceRuntime", "Store", nio[1], logging])
    ]
    + [
      .target(
        name: "Webhooks",
        dependencies: nio + [
          "Backoff", "Digests", "Models", "OutboundGate", "PostgresClient", "ServiceRuntime", "Store", asyncHTTPClient, nioHTTP,
          nioSSL, lifecycle, logging, metrics,
        ], path: "Services/Rules/Sources/Webhooks"),
      tests(
        of: "Webhooks",
        [
          "LocalStack", "Models", "OutboundGate", "PostgresClient", "Store", "TrustedProxies", "APIMain", "IngestMain", "MartletctlMain",
          "RulesMain", nio[1], logging, subprocess,
        ],
        exclude: ["Clients"]),
    ]
    + service(
      "Rules",
      [
        "Backoff", "Commands", "EventLog", "LogConsumer", "Models", "PostgresClient", "RedisClient", "RuleEvaluation", "ServiceRuntime",
        "Store", "Webhooks", nio[0], lifecycle, logging, metrics,
      ], exclude: ["Webhooks"])
    + [
      tests(
        of: "Rules",
        [
          "EventLog", "LocalStack", "LogConsumer", "Martletctl", "Models", "PostgresClient", "RedisClient", "RuleEvaluation",
          "ServiceRuntime", "Store", nio[1], lifecycle, logging,
        ])
    ]
    + service(
      "Martletctl",
      nio + [
        "Access", "Backoff", "EventLog", "Models", "MQTTClient", "OutboundGate", "PostgresClient", "RedisClient", "RuleEvaluation",
        "ServerURL", "ServiceRuntime", "Store",
        .product(name: "Yams", package: "Yams"), arguments, asyncHTTPClient,
        nioHTTP, nioWebSocket, lifecycle, signals, logging,
      ], main: [arguments])
    + [
      tests(
        of: "API",
        [
          "APIMain", "IngestMain", "LocalStack", "MartletctlMain", "Models", "PersisterMain", "Store", subprocess,
          .product(name: "HTTPTypes", package: "swift-http-types"),
        ], exclude: ["Clients"]),
      tests(
        of: "Martletctl",
        ["Access", "APIMain", "LocalStack", "MartletctlMain", "Models", "MQTTClient", "SignalingMain", "Store", subprocess]),
      .testTarget(
        name: "IntegrationTests",
        dependencies: nio + [
          "AnyApp", "LocalStack", "LocalStackMain", "APIMain", "GatewayMain", "IngestMain", "MartletClient", "PersisterMain",
          "PostgresClient", "RulesMain", "SignalingMain", "MartletctlMain", "Store", logging, subprocess,
        ],
        path: "Tests/Integration", exclude: ["Clients"]),
      .executableTarget(
        name: "Bench",
        dependencies: nio + [
          "Commands", "EventLog", "LocalStack", "Models", "MQTTClient", "RedisClient", "RuleEvaluation", "ServiceRuntime", arguments,
          logging, nioHTTP,
        ],
        path: "Tests/Benchmarks",
        exclude: ["README.md", "robot_load.py", "signaling_load.py"]),
      .testTarget(name: "HouseRulesTests", path: "Tests/HouseRulesTests"),
    ],
  swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
  target.swiftSettings = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ]
}
