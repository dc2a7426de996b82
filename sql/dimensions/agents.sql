-- Agents with their names: every agent that the lake has met, and those of agents.csv.
-- Grain:   one row per account_id and agent_id.
-- Counts:  agents of conversations, of transfers from and to, of segments, of lines, private ones too, and of
--          agents.csv. The ids "" and "0" are no agent. is_bot is false where agents.csv does not say.
-- Units:   last_date is a day (UTC) of a conversation's start.
-- Source:  ours; agent_id and target_agent_id of the tables, agent_nickname of segments, sent_by of messages, and
--          agent_names. The nickname of the agent's newest segment with one, else of the newest line, is a name until
--          agents.csv has a better one. In a nickname a mark (U+FFFD) stands for control and invisible characters and
--          those that turn the direction of writing; of more than 200 characters the first 199 stay, with an ellipsis.

with moves as (
    select account_id, agent_id, target_agent_id, max(date) as last_date
    from transfers
    group by account_id, agent_id, target_agent_id
),

parts as (
    select
        account_id,
        agent_id,
        nullif(trim(agent_nickname), '') as nickname,
        count(*) as segment_count,
        max(assigned_time) as newest_time,
        max(date) as last_date
    from segments
    where agent_id is not null
    group by account_id, agent_id, nickname
),

lines as materialized (
    select
        account_id,
        agent_id,
        case when type in ('1', '3', '4', '5') then nullif(trim(sent_by), '') end as nickname,
        max(timestamp) as newest_time,
        max(date) as last_date
    from messages
    where agent_id not in ('', '0')
    group by account_id, agent_id, nickname
),

met as (
    select account_id, agent_id, 0 as segment_count, max(date) as last_date
    from conversations
    group by account_id, agent_id
    union all
    select account_id, agent_id, 0, last_date
    from moves
    union all
    select account_id, target_agent_id, 0, last_date
    from moves
    union all
    select account_id, agent_id, segment_count, last_date
    from parts
    union all
    select account_id, agent_id, 0, last_date
    from lines
    union all
    select account_id, agent_id, 0, null
    from agent_names
),

known as (
    select
        account_id,
        agent_id,
        sum(segment_count)::bigint as segment_count,
        max(last_date) as last_date
    from met
    where agent_id not in ('', '0')
    group by account_id, agent_id
),

newest as (
    select
        account_id,
        agent_id,
        arg_max(nickname, row(newest_time is not null, newest_time, nickname)) as nickname
    from parts
    where nickname is not null
    group by account_id, agent_id
),

written as (
    select
        account_id,
        agent_id,
        arg_max(nickname, row(newest_time is not null, newest_time, nickname)) as nickname
    from lines
    where nickname is not null
    group by account_id, agent_id
),

-- Nicknames come from other systems, and become names in tables, charts and agents.csv.
nicknamed as (
    select
        known.account_id,
        known.agent_id,
        known.segment_count,
        known.last_date,
        regexp_replace(
            regexp_replace(coalesce(newest.nickname, written.nickname), '\s+', ' ', 'g'),
            '[\x{0}-\x{1f}\x{7f}-\x{9f}\x{ad}\x{61c}\x{180e}\x{200b}\x{200e}\x{200f}\x{2028}-\x{202e}'
            || '\x{2060}-\x{206f}\x{feff}\x{fff9}-\x{fffb}\x{e0000}-\x{e0fff}]+',
            chr(65533),
            'g'
        ) as nickname
    from known
    left join newest
        on known.account_id is not distinct from newest.account_id
        and known.agent_id = newest.agent_id
    left join written
        on known.account_id is not distinct from written.account_id
        and known.agent_id = written.agent_id
),

shown as (
    select
        account_id,
        agent_id,
        segment_count,
        last_date,
        nullif(
            trim(case when length(nickname) > 200 then left(nickname, 199) || '…' else nickname end),
            ''
        ) as nickname
    from nicknamed
)

select
    shown.account_id,  -- The LivePerson account.
    shown.agent_id,  -- The agent.
    coalesce(agent.agent_name, shown.nickname)
        as agent_name,  -- Name of the agent, else the nickname; NULL: there is neither.
    shown.nickname as agent_nickname,  -- Newest nickname that the agent's lines carry; NULL: none.
    agent.agent_group,  -- Group of the agent; NULL: it has none.
    agent.employee_id,  -- The agent's id in another system; NULL: it is not known.
    coalesce(agent.is_bot, false) as is_bot,  -- True for a bot; false where agents.csv does not say.
    agent.hired_on,  -- Day on which the agent was hired; NULL: it is not known.
    shown.segment_count,  -- Segments.
    shown.last_date  -- Newest day with a conversation of the row; NULL: it has none.
from shown
left join agent_names as agent
    on shown.account_id = agent.account_id
    and shown.agent_id = agent.agent_id
