const ws = new WebSocket('ws://localhost:8000/ws/telemetry');

ws.onopen = function() {
    // Authenticate
    ws.send(JSON.stringify({
        type: 'auth',
        token: 'your-jwt-token'
    }));
    
    // Subscribe to events
    ws.send(JSON.stringify({
        type: 'subscribe',
        events: ['telemetry.realtime', 'system.status'],
        rate: 10
    }));
};

ws.onmessage = function(event) {
    const data = JSON.parse(event.data);
    
    switch(data.type) {
        case 'telemetry.realtime':
            updateTelemetry(data.data);
            break;
        case 'system.status':
            updateSystemStatus(data.data);
            break;
        case 'error':
            handleError(data);
            break;
    }
};
