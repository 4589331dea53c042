# The cmdlets of a simulated tenant. Every function sends what was bound to it to the admin API of the
# connection and writes out what comes back. Works in Windows PowerShell 5.1 and in PowerShell 7.

Set-StrictMode -Off

if (-not ('System.Net.Http.HttpClient' -as [type]))
{
    Add-Type -AssemblyName 'System.Net.Http'
}

$script:TenantClient = $null
$script:TenantPageSize = 1000
$script:TenantMoreTries = 5
$script:TenantTimeoutSeconds = 960
$script:TenantLongTimeouts = @{
    'Get-DistributionGroupMember'    = 3660
    'Update-DistributionGroupMember' = 3660
    'Set-UnifiedGroup'               = 3660
    'Set-OrganizationConfig'         = 1860
    'Update-RoleGroupMember'         = 1860
}
# Failures of a moment, which arrive in the body of an ordinary refusal.
$script:TenantTransient = @(
    'DCOverloadedException'
    'SuitabilityDirectoryException'
    'ServerInMMException'
    'ADServerSettingsChangedException'
    'StorageTransientException'
)
# Parameters that PowerShell itself handles.
$script:TenantLocalParameters = @(
    'Verbose', 'Debug', 'ErrorAction', 'WarningAction', 'InformationAction', 'ProgressAction', 'ErrorVariable',
    'WarningVariable', 'InformationVariable', 'OutVariable', 'OutBuffer', 'PipelineVariable', 'WhatIf', 'Confirm'
)

# ---------------------------------------------------------------- values on the wire

function ConvertTo-TenantText
{
    param($Value)

    # Formatting makes a bare copy: texts that were read from files carry properties that must not be sent.
    ConvertTo-Json -InputObject ('{0}' -f $Value) -Compress
}

# A secret leaves this machine sealed with the key of the tenant: PKCS#1 v1.5 over UTF-8, in base64.
function Protect-TenantSecret
{
    param([System.Security.SecureString] $Secret)

    $clear = (New-Object -TypeName System.Net.NetworkCredential -ArgumentList '', $Secret).Password
    $cipher = New-Object -TypeName System.Security.Cryptography.RSACryptoServiceProvider
    try
    {
        $cipher.FromXmlString($script:TenantPublicKey)
        $bytes = [System.Text.Encoding]::UTF8.GetBytes($clear)
        [System.Convert]::ToBase64String($cipher.Encrypt($bytes, $false))
    }
    finally
    {
        $cipher.Dispose()
    }
}

function ConvertTo-TenantJson
{
    param($Value)

    if ($null -eq $Value)
    {
        return 'null'
    }
    $plain = $Value.PSObject.BaseObject
    if ($plain -is [System.Management.Automation.PSCustomObject])
    {
        # An object that a cmdlet returned stands for what it identifies.
        $identity = $Value.PSObject.Properties['Identity']
        if (($null -ne $identity) -and ($null -ne $identity.Value))
        {
            return (ConvertTo-TenantJson -Value $identity.Value)
        }
        return (ConvertTo-TenantText -Value $Value)
    }
    if ($plain -is [System.Management.Automation.SwitchParameter])
    {
        if ($plain.IsPresent) { return 'true' } else { return 'false' }
    }
    if ($plain -is [bool])
    {
        if ($plain) { return 'true' } else { return 'false' }
    }
    if (($plain -is [string]) -or ($plain -is [char]) -or ($plain -is [System.Enum]) -or ($plain -is [scriptblock]))
    {
        return (ConvertTo-TenantText -Value $plain)
    }
    if ($plain -is [datetime])
    {
        return (ConvertTo-TenantText -Value $plain.ToString('o', [System.Globalization.CultureInfo]::InvariantCulture))
    }
    if ($plain -is [System.Security.SecureString])
    {
        return (ConvertTo-TenantText -Value (Protect-TenantSecret -Secret $plain))
    }
    if ($plain -is [System.Management.Automation.PSCredential])
    {
        return (ConvertTo-TenantText -Value $plain.UserName)
    }
    if ($plain -is [byte[]])
    {
        return '{"@odata.type":"#Exchange.ByteArrayType","Data":[' + ($plain -join ',') + ']}'
    }
    if ($plain -is [System.Collections.IDictionary])
    {
        $parts = @('"@odata.type":"#Exchange.GenericHashTable"')
        foreach ($entry in $plain.GetEnumerator())
        {
            if ($entry.Key -ne '@odata.type')
            {
                $parts += (ConvertTo-TenantText -Value $entry.Key) + ':' + (ConvertTo-TenantJson -Value $entry.Value)
            }
        }
        return '{' + ($parts -join ',') + '}'
    }
    $numbers = @('SByte', 'Byte', 'Int16', 'UInt16', 'Int32', 'UInt32', 'Int64', 'UInt64', 'Single', 'Double', 'Decimal')
    if ($numbers -contains ('{0}' -f [System.Type]::GetTypeCode($plain.GetType())))
    {
        return $plain.ToString([System.Globalization.CultureInfo]::InvariantCulture)
    }
    if ($plain -is [System.Collections.IEnumerable])
    {
        $items = @(foreach ($item in $plain) { ConvertTo-TenantJson -Value $item })
        return '[' + ($items -join ',') + ']'
    }
    ConvertTo-TenantText -Value $plain
}

function Get-TenantBody
{
    param([string] $CmdletName, [string[]] $Pairs)

    '{"CmdletInput":{"CmdletName":' + (ConvertTo-TenantText -Value $CmdletName) + ',"Parameters":{' + ($Pairs -join ',') + '}}}'
}

# ---------------------------------------------------------------- requests

function Get-TenantConnection
{
    if ([string]::IsNullOrEmpty($script:ConnectionContextObjectId))
    {
        throw 'This session is not connected. Run Connect-ExchangeOnline first.'
    }
    $found = [Microsoft.Exchange.Management.ExoPowershellSnapin.ConnectionContextFactory]::GetCurrentConnectionContext($script:ConnectionContextObjectId)
    if ($null -eq $found)
    {
        throw 'The connection of this session has been closed. Run Connect-ExchangeOnline again.'
    }
    $found
}

function Get-TenantClient
{
    if ($null -eq $script:TenantClient)
    {
        $handler = New-Object -TypeName System.Net.Http.HttpClientHandler
        $handler.AutomaticDecompression = [System.Net.DecompressionMethods]::GZip
        $handler.UseCookies = $false
        $client = New-Object -TypeName System.Net.Http.HttpClient -ArgumentList $handler
        $client.Timeout = [System.Threading.Timeout]::InfiniteTimeSpan
        $script:TenantClient = $client
    }
    $script:TenantClient
}

function Get-TenantHeaders
{
    param($Connection, $Authorization, [string] $CmdletName, [string] $RequestId, [int] $PageSize, [string] $WarningAction)

    $prefix = 'UPN'
    if (-not [string]::IsNullOrEmpty($Connection.RoutingHintPrefix))
    {
        $prefix = $Connection.RoutingHintPrefix
    }
    $hint = $Connection.RoutingHint
    if ([string]::IsNullOrEmpty($hint))
    {
        $hint = $Authorization.UserPrincipalName
    }
    $version = '3.0.0'
    $loaded = Get-Module -Name 'ExchangeOnlineManagement' | Select-Object -First 1
    if ($null -ne $loaded)
    {
        $version = $loaded.Version.ToString()
    }
    @{
        'Authorization'         = $Authorization.AuthorizationHeader
        'Accept'                = 'application/json'
        'Accept-Charset'        = 'UTF-8'
        'Accept-Language'       = $PSUICulture
        'X-CmdletName'          = $CmdletName
        'X-AnchorMailbox'       = ('{0}:{1}' -f $prefix, $hint)
        'X-ResponseFormat'      = 'clixml'
        'X-SerializationLevel'  = 'Partial'
        'X-ClientApplication'   = 'ExoManagementModule'
        'X-ClientModuleVersion' = $version
        'Prefer'                = ('odata.maxpagesize={0}' -f $PageSize)
        'WarningAction'         = $WarningAction
        'connection-id'         = $Connection.ConnectionId
        'client-request-id'     = $RequestId
    }
}

function Send-TenantRequest
{
    param([string] $Uri, [string] $Body, $Headers, [int] $TimeoutSeconds)

    $client = Get-TenantClient
    $cancel = New-Object -TypeName System.Threading.CancellationTokenSource
    $request = New-Object -TypeName System.Net.Http.HttpRequestMessage -ArgumentList ([System.Net.Http.HttpMethod]::Post), $Uri
    $response = $null
    try
    {
        foreach ($entry in $Headers.GetEnumerator())
        {
            $null = $request.Headers.TryAddWithoutValidation([string] $entry.Key, [string] $entry.Value)
        }
        $request.Content = New-Object -TypeName System.Net.Http.StringContent -ArgumentList $Body, ([System.Text.Encoding]::UTF8), 'application/json'
        $cancel.CancelAfter($TimeoutSeconds * 1000)
        $sending = $client.SendAsync($request, $cancel.Token)
        # Short waits leave room for Ctrl-C.
        while (-not $sending.IsCompleted)
        {
            $null = $sending.AsyncWaitHandle.WaitOne(200)
        }
        $response = $sending.GetAwaiter().GetResult()
        $reading = $response.Content.ReadAsStringAsync()
        while (-not $reading.IsCompleted)
        {
            $null = $reading.AsyncWaitHandle.WaitOne(200)
        }
        $answered = @{}
        foreach ($header in @($response.Headers) + @($response.Content.Headers))
        {
            $answered[$header.Key] = @($header.Value) -join ', '
        }
        [pscustomobject] @{
            Status  = [int] $response.StatusCode
            Headers = $answered
            Content = $reading.GetAwaiter().GetResult()
        }
    }
    finally
    {
        $cancel.Cancel()
        $request.Dispose()
        if ($null -ne $response)
        {
            $response.Dispose()
        }
        $cancel.Dispose()
    }
}

function Get-TenantClaims
{
    param($Answer)

    $challenge = $Answer.Headers['WWW-Authenticate']
    if (($null -eq $challenge) -or ($challenge -notmatch 'claims="([^"]*)"'))
    {
        return ''
    }
    $claims = $Matches[1]
    try
    {
        $decoded = [System.Text.Encoding]::UTF8.GetString([System.Convert]::FromBase64String($claims))
        if ($decoded.StartsWith('{'))
        {
            return $decoded
        }
    }
    catch
    {
        Write-Debug -Message 'The claims challenge is not base64; it is passed on as it came.'
    }
    $claims
}

function Get-TenantRetryWait
{
    param($Answer, [int] $Attempt)

    $wait = [int] (2000 * [System.Math]::Pow(2, $Attempt))
    if ($Answer.Status -eq 429)
    {
        $seconds = 0
        if ([int]::TryParse(('{0}' -f $Answer.Headers['Retry-After']), [ref] $seconds) -and ($seconds -gt 0))
        {
            return ($seconds * 1000)
        }
        return $wait
    }
    if ($Answer.Status -eq 401)
    {
        # A new token helps at once or not at all.
        if ((Get-TenantClaims -Answer $Answer) -ne '') { return 0 } else { return $wait }
    }
    if (($Answer.Status -eq 503) -or ($Answer.Status -eq 504))
    {
        return $wait
    }
    if ($Answer.Status -ge 400)
    {
        $text = (Read-TenantFailure -Answer $Answer).Message
        foreach ($name in $script:TenantTransient)
        {
            if ($text.Contains($name))
            {
                return $wait
            }
        }
    }
    -1
}

# ---------------------------------------------------------------- failures

function Read-TenantFailure
{
    param($Answer)

    $failure = $null
    try
    {
        $failure = (ConvertFrom-Json -InputObject $Answer.Content -ErrorAction Stop).error
    }
    catch
    {
        $failure = $null
    }
    $detail = $null
    if ($null -ne $failure)
    {
        $detail = @($failure.details) | Where-Object { $null -ne $_ } | Select-Object -First 1
    }
    $message = ''
    if (($null -ne $detail) -and ($detail.message))
    {
        $message = [string] $detail.message
    }
    elseif (($null -ne $failure) -and ($failure.innererror) -and ($failure.innererror.internalexception) -and ($failure.innererror.internalexception.message))
    {
        $message = [string] $failure.innererror.internalexception.message
    }
    elseif (($null -ne $failure) -and ($failure.message))
    {
        $message = [string] $failure.message
    }
    $type = [string] $Answer.Headers['x-ExceptionType']
    if ($message.StartsWith('{'))
    {
        try
        {
            $inner = ConvertFrom-Json -InputObject $message -ErrorAction Stop
            if ($inner.Message)
            {
                $message = [string] $inner.Message
            }
            foreach ($name in @($inner.TypeName, $inner.ClassName))
            {
                if (($type -eq '') -and ($name)) { $type = [string] $name }
            }
        }
        catch
        {
            Write-Debug -Message 'The failure is described by a text that only looks like JSON.'
        }
    }
    if ($type -eq '')
    {
        $fields = $message.Split('|')
        if ($fields.Length -ge 3) { $type = $fields[1] }
    }
    if ($message -eq '')
    {
        $message = [string] $Answer.Headers['x-ms-diagnostics']
    }
    if (($message -eq '') -and ($null -ne $Answer.Content) -and ($Answer.Content.Length -gt 0) -and ($Answer.Content[0] -ne [char] 0))
    {
        $message = [string] $Answer.Content
    }
    if (($message -eq '') -and ($Answer.Status -eq 403))
    {
        $message = 'Access is denied: the roles of this connection do not include the cmdlet.'
    }
    if ($message -eq '')
    {
        $message = 'The service answered with status {0}.' -f $Answer.Status
    }
    $reason = 'Exception'
    if ($type -ne '')
    {
        $reason = $type.Split('.')[-1]
    }
    [pscustomobject] @{
        Message = $message
        Reason  = $reason
        Code    = $(if ($null -ne $detail) { $detail.code } else { $null })
        Target  = $(if ($null -ne $detail) { $detail.target } else { $null })
    }
}

function New-TenantErrorRecord
{
    param($Answer, [string] $CmdletName)

    $failure = Read-TenantFailure -Answer $Answer
    $category = [System.Management.Automation.ErrorCategory]::NotSpecified
    $code = $failure.Code
    if (($null -ne $code) -and ($null -ne ($code -as [int])))
    {
        $code = $code -as [int]
    }
    if (($null -ne $code) -and [System.Enum]::IsDefined([System.Management.Automation.ErrorCategory], $code))
    {
        $category = [System.Management.Automation.ErrorCategory] $code
    }
    $id = '[Server={0},RequestId={1},TimeStamp={2}]' -f $Answer.Headers['X-CalculatedBETarget'], $Answer.Headers['request-id'], $Answer.Headers['Date']
    $exception = New-Object -TypeName System.Exception -ArgumentList $failure.Message
    $record = New-Object -TypeName System.Management.Automation.ErrorRecord -ArgumentList $exception, $id, $category, $null
    $record.CategoryInfo.Activity = $CmdletName
    $record.CategoryInfo.Reason = $failure.Reason
    if ($failure.Target)
    {
        $record.CategoryInfo.TargetName = [string] $failure.Target
    }
    if ($Answer.Headers['x-ExceptionTargetType'])
    {
        $record.CategoryInfo.TargetType = [string] $Answer.Headers['x-ExceptionTargetType']
    }
    $record
}

# ---------------------------------------------------------------- one call

# Sends one request, again where that may help, and returns the last answer.
function Invoke-TenantRequest
{
    param([string] $CmdletName, [string] $Uri, [string] $Body, [string] $RequestId, [int] $PageSize, [string] $WarningAction)

    $timeout = $script:TenantTimeoutSeconds
    if ($script:TenantLongTimeouts.ContainsKey($CmdletName))
    {
        $timeout = $script:TenantLongTimeouts[$CmdletName]
    }
    $claims = ''
    $attempt = 0
    while ($true)
    {
        $connection = Get-TenantConnection
        $authorization = $connection.GetAuthHeader($claims, $RequestId)
        $target = $Uri
        if ($target -eq '')
        {
            $target = '{0}/{1}/InvokeCommand' -f $authorization.BaseUri.ToString().TrimEnd('/'), $authorization.TenantId
        }
        $headers = Get-TenantHeaders -Connection $connection -Authorization $authorization -CmdletName $CmdletName -RequestId $RequestId -PageSize $PageSize -WarningAction $WarningAction
        $answer = Send-TenantRequest -Uri $target -Body $Body -Headers $headers -TimeoutSeconds $timeout
        $wait = -1
        if ($attempt -lt $script:TenantMoreTries)
        {
            $wait = Get-TenantRetryWait -Answer $answer -Attempt $attempt
        }
        if ($wait -lt 0)
        {
            return $answer
        }
        $claims = Get-TenantClaims -Answer $answer
        Write-Verbose -Message ('The service answered with status {0}; trying again in {1} ms.' -f $answer.Status, $wait)
        Start-Sleep -Milliseconds $wait
        $attempt++
    }
}

# Runs one cmdlet for one function call: confirmation, pages, warnings, objects, errors.
function Invoke-TenantCmdlet
{
    param(
        [string] $CmdletName,
        $Bound,
        $Cmdlet,
        [string] $Impact = '',
        [string] $Preference = 'None',
        [bool] $WhatIf = $false,
        [bool] $HasResultSize = $false
    )

    $pairs = @(
        foreach ($entry in $Bound.GetEnumerator())
        {
            if ($script:TenantLocalParameters -notcontains $entry.Key)
            {
                (ConvertTo-TenantText -Value $entry.Key) + ':' + (ConvertTo-TenantJson -Value $entry.Value)
            }
        }
    )
    $ask = $false
    if ($Impact -ne '')
    {
        # What the caller said himself counts, wherever his preference came from.
        if ($Bound.ContainsKey('Confirm'))
        {
            if ($Bound['Confirm']) { $Preference = 'Low' } else { $Preference = 'None' }
        }
        $order = @('None', 'Low', 'Medium', 'High')
        $ask = $WhatIf -or (($Preference -ne 'None') -and ($order.IndexOf($Impact) -ge $order.IndexOf($Preference)))
    }
    $sent = $pairs
    if ($ask)
    {
        $sent = $pairs + '"Confirm":true'
    }
    elseif ($Impact -ne '')
    {
        $sent = $pairs + '"Confirm":false'
    }

    $warningAction = ''
    if ($Bound.ContainsKey('WarningAction'))
    {
        $warningAction = '{0}' -f $Bound['WarningAction']
        if ($warningAction -eq 'Ignore') { $warningAction = 'SilentlyContinue' }
    }

    # -1 = every row there is.
    $left = -1
    if ($HasResultSize)
    {
        $left = 1000
        if ($Bound.ContainsKey('ResultSize'))
        {
            $asked = 0
            $left = -1
            if ([int]::TryParse(('{0}' -f $Bound['ResultSize']), [ref] $asked) -and ($asked -gt 0))
            {
                $left = $asked
            }
        }
    }

    $requestId = [System.Guid]::NewGuid().ToString()
    $uri = ''
    while ($true)
    {
        $pageSize = $script:TenantPageSize
        if (($left -ge 0) -and ($left -lt $pageSize))
        {
            $pageSize = $left
        }
        $body = Get-TenantBody -CmdletName $CmdletName -Pairs $sent
        $answer = $null
        $broken = $null
        try
        {
            $answer = Invoke-TenantRequest -CmdletName $CmdletName -Uri $uri -Body $body -RequestId $requestId -PageSize $pageSize -WarningAction $warningAction
        }
        catch
        {
            $broken = $_
        }
        if ($null -ne $broken)
        {
            $global:EXO_LastExecutionStatus = $false
            $record = New-Object -TypeName System.Management.Automation.ErrorRecord -ArgumentList $broken.Exception, 'ConnectionFailed', ([System.Management.Automation.ErrorCategory]::ConnectionError), $null
            $Cmdlet.WriteError($record)
            return
        }
        if ($answer.Status -ge 400)
        {
            $global:EXO_LastExecutionStatus = $false
            $Cmdlet.WriteError((New-TenantErrorRecord -Answer $answer -CmdletName $CmdletName))
            return
        }
        $global:EXO_LastExecutionStatus = $true
        if ([string]::IsNullOrEmpty($answer.Content))
        {
            return
        }
        $result = ConvertFrom-Json -InputObject $answer.Content
        if ($ask)
        {
            $question = $result.'@adminapi.confirmationmessage'
            if ($null -ne $question)
            {
                if (-not $Cmdlet.ShouldProcess([string] $question, [string] $question, $CmdletName))
                {
                    return
                }
                $ask = $false
                $sent = $pairs + '"Confirm":false'
                continue
            }
        }
        foreach ($warning in @($result.'@adminapi.warnings'))
        {
            if ($warning) { $Cmdlet.WriteWarning([string] $warning) }
        }
        $count = 0
        foreach ($row in @($result.value))
        {
            if ($null -eq $row) { continue }
            $count++
            $serialized = $row.PSObject.Properties['_clixml']
            if ($null -ne $serialized)
            {
                [System.Management.Automation.PSSerializer]::Deserialize($serialized.Value)
            }
            else
            {
                $row
            }
        }
        $uri = [string] $result.'@odata.nextLink'
        if ($left -ge 0)
        {
            $left = $left - $count
            # A short page is the last one, and a link behind the last row that was asked for leads nowhere.
            if (($left -le 0) -or ($count -lt $pageSize)) { return }
        }
        if ($uri -eq '')
        {
            return
        }
    }
}

# ---------------------------------------------------------------- cmdlets

