-- Campaigns with their names: every campaign that the lake has met, and those of campaigns.csv.
-- Grain:   one row per account_id and campaign_id.
-- Counts:  campaigns of conversations, and of campaigns.csv.
-- Units:   last_date is a day (UTC) of a conversation's start.
-- Source:  ours; campaign_id of Conversation, and campaign_names.

with met as (
    select account_id, campaign_id, count(*) as conversation_count, max(date) as last_date
    from conversations
    group by account_id, campaign_id
    union all
    select account_id, campaign_id, 0, null
    from campaign_names
),

known as (
    select
        account_id,
        campaign_id,
        sum(conversation_count)::bigint as conversation_count,
        max(last_date) as last_date
    from met
    where campaign_id is not null
    group by account_id, campaign_id
)

select
    known.account_id,  -- The LivePerson account.
    known.campaign_id,  -- The campaign.
    campaign.campaign_name,  -- Name of the campaign; NULL: it has none.
    known.conversation_count,  -- Conversations.
    known.last_date  -- Newest day with a conversation of the row; NULL: it has none.
from known
left join campaign_names as campaign
    on known.account_id = campaign.account_id
    and known.campaign_id = campaign.campaign_id
