-- An agent's answer carries an earlier time than the visitor's line it follows, so the response counts but has no
-- time. The order of a transcript is the one in which it was sent; the clocks behind its times need not agree.
-- Returns: one row per response, with how far the answer is before the visitor's line.

select
    account_id,
    conversation_id,
    date,
    response_number,
    agent_id,
    visitor_time,
    response_time,
    (epoch_ms(visitor_time) - epoch_ms(response_time)) / 1000 as too_early_seconds
from responses
where response_time < visitor_time
